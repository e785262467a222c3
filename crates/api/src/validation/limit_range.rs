//! LimitRanges.
//!
//! Upstream: ValidateLimitRange in pkg/apis/core/validation/validation.go

use k8s_openapi::api::core::v1::{LimitRange, LimitRangeItem};

use sim::SmallSet;

use super::{meta, names, qualified_name, resources};
use crate::defaults::ResourceList;
use crate::field::{Error, ErrorList, Path};
use crate::quantity::Amount;

/// Upstream: ValidateLimitRange.
pub(crate) fn limit_range(range: &LimitRange) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta(&range.metadata, true, names::dns_subdomain, &mut errors);
    limits(range, &mut errors);
    errors
}

/// Upstream: ValidateLimitRangeUpdate, which is that of the strategy.
pub(crate) fn limit_range_update(new: &LimitRange, old: &LimitRange) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    limits(new, &mut errors);
    errors
}

fn limits(range: &LimitRange, errors: &mut ErrorList) {
    let path = Path::new("spec").child("limits");
    let mut types = SmallSet::new();
    let items = range.spec.iter().flat_map(|spec| &spec.limits);
    for (index, item) in items.enumerate() {
        let path = path.index(index);
        let type_path = path.child("type");
        let before = errors.len();
        qualified_name(&item.type_, &type_path, errors);
        let is_known = item.type_.contains('/')
            || matches!(item.type_.as_str(), "Pod" | "Container" | "PersistentVolumeClaim");
        if errors.len() == before && !is_known {
            let message = "must be a standard limit type or fully qualified";
            errors.push(Error::invalid(&type_path, item.type_.as_str(), message));
        }
        if !types.insert(&item.type_) {
            errors.push(Error::duplicate(&type_path, item.type_.as_str()));
        }
        names_of(item, &path, errors);
        let mut keys: SmallSet<&String> = SmallSet::new();
        for list in [
            &item.max,
            &item.min,
            &item.default,
            &item.default_request,
            &item.max_limit_request_ratio,
        ] {
            keys.extend(list.iter().flat_map(|list| list.keys()));
        }
        keys.into_iter().for_each(|name| bounds(item, name, &path, errors));
    }
}

/// Upstream: validateLimitRangeResourceName, and what goes together with the type.
fn names_of(item: &LimitRangeItem, path: &Path, errors: &mut ErrorList) {
    let check = |list: &Option<ResourceList>, field: &str, errors: &mut ErrorList| {
        for name in list.iter().flat_map(|list| list.keys()) {
            let path = path.child(field).key(name);
            match item.type_.as_str() {
                "Pod" | "Container" => resources::container_resource_name(name, &path, errors),
                _ => resources::resource_name(name, &path, errors),
            }
        }
    };
    check(&item.max, "max", errors);
    check(&item.min, "min", errors);
    for (field, list) in [("default", &item.default), ("defaultRequest", &item.default_request)] {
        if item.type_ != "Pod" {
            check(list, field, errors);
        } else if list.as_ref().is_some_and(|list| !list.is_empty()) {
            let message = "may not be specified when `type` is 'Pod'";
            errors.push(Error::forbidden(&path.child(field), message));
        }
    }
    let has_storage =
        |list: &Option<ResourceList>| list.as_ref().is_some_and(|it| it.contains_key("storage"));
    let is_claim = item.type_ == "PersistentVolumeClaim";
    if is_claim && !has_storage(&item.min) && !has_storage(&item.max) {
        let message = "either minimum or maximum storage value is required, but neither was \
                       provided";
        errors.push(Error::required(&path.child("limits"), message));
    }
    check(&item.max_limit_request_ratio, "maxLimitRequestRatio", errors);
}

/// What a range says of one resource has to be in order.
fn bounds(item: &LimitRangeItem, name: &str, path: &Path, errors: &mut ErrorList) {
    let of = |list: &Option<ResourceList>, field: &'static str, word: &'static str| {
        let quantity = list.as_ref().and_then(|list| list.get(name))?;
        Some((Amount::of(quantity), quantity.0.clone(), field, word))
    };
    let is_pod = item.type_ == "Pod";
    let unless_pod = |bound: Option<_>| bound.filter(|_| !is_pod);
    let min = of(&item.min, "min", "min value");
    let max = of(&item.max, "max", "max value");
    let default = unless_pod(of(&item.default, "default", "default value"));
    let request = unless_pod(of(&item.default_request, "defaultRequest", "default request value"));
    let ratio = of(&item.max_limit_request_ratio, "maxLimitRequestRatio", "ratio");
    // Less, more, and which of the two the error is about: its field, and the value it shows.
    for (less, more, field, shows_less) in [
        (&min, &max, "min", true),
        (&min, &request, "defaultRequest", false),
        (&request, &max, "defaultRequest", true),
        (&request, &default, "defaultRequest", true),
        (&min, &default, "default", true),
        (&default, &max, "default", false),
    ] {
        let (Some(less), Some(more)) = (less, more) else { continue };
        if less.0 <= more.0 {
            continue;
        }
        let is_limit = less.2 == "defaultRequest" && more.2 == "default";
        let word = if is_limit { "default limit value" } else { more.3 };
        let message = format!("{} {} is greater than {word} {}", less.3, less.1, more.1);
        let shown = if shows_less { &less.1 } else { &more.1 };
        errors.push(Error::invalid(&path.child(field).key(name), shown.as_str(), message));
    }
    if let Some((amount, text, field, _)) = &ratio {
        let path = path.child(field).key(name);
        if *amount < Amount::units(1) {
            let message = format!("ratio {text} is less than 1");
            errors.push(Error::invalid(&path, text.as_str(), message));
        }
        if let (Some(min), Some(max)) = (&min, &max)
            && amount.as_nanos() * min.0.as_nanos() / 1_000_000_000 > max.0.as_nanos()
        {
            let limit = max.0.milli_value() as f64 / min.0.milli_value() as f64;
            let message = format!("ratio {text} is greater than max/min = {limit:.6}");
            errors.push(Error::invalid(&path, text.as_str(), message));
        }
    }
    if let (Some(default), Some(request)) = (&default, &request)
        && !resources::is_overcommit_allowed(name)
        && default.0 != request.0
    {
        let message = format!(
            "default value {} must equal to defaultRequest value {} in {name}",
            default.1, request.1
        );
        let path = path.child("defaultRequest").key(name);
        errors.push(Error::invalid(&path, request.1.as_str(), message));
    }
}
