//! LimitRanges: what containers request and may use when they do not say it, and what pods and
//! claims may ask for.
//!
//! Upstream: plugin/pkg/admission/limitranger/admission.go

use std::collections::BTreeMap;

use api::openapi::api::core::v1::{
    Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod,
};
use api::openapi::apimachinery::pkg::api::resource::Quantity as QuantityText;
use api::quantity::{Amount, Format, Quantity};
use api::{KindId, Object, Status};
use component_helpers::resources::{Amounts, PodResourcesOptions, pod_limits, pod_requests};

use super::{AdmissionPlugin, Attributes, View};
use crate::{Subresource, Verb};

const ANNOTATION: &str = "kubernetes.io/limit-ranger";

type Resources = BTreeMap<String, QuantityText>;

pub(super) struct LimitRanger;

impl AdmissionPlugin for LimitRanger {
    fn name(&self) -> &'static str {
        "LimitRanger"
    }

    fn admit(
        &self,
        request: &Attributes<'_>,
        object: Option<&mut Object>,
        view: &mut View<'_>,
    ) -> Result<(), Status> {
        let Some(object) = object.filter(|_| is_handled(request)) else { return Ok(()) };
        if request.kind.id != KindId::POD {
            return Ok(());
        }
        for range in ranges(request, view) {
            if let Some(pod) = object.get_mut::<Pod>() {
                set_defaults(pod, &range);
            }
        }
        Ok(())
    }

    fn validate(
        &self,
        request: &Attributes<'_>,
        object: Option<&Object>,
        view: &View<'_>,
    ) -> Result<(), Status> {
        let Some(object) = object.filter(|_| is_handled(request)) else { return Ok(()) };
        for range in ranges(request, view) {
            let mut errors = Vec::new();
            for item in items(&range) {
                if let Some(pod) = object.get::<Pod>() {
                    check_pod(item, pod, &mut errors);
                } else if let Some(claim) = object.get::<PersistentVolumeClaim>() {
                    check_claim(item, claim, &mut errors);
                }
            }
            errors.dedup();
            match &errors[..] {
                [] => {}
                [error] => return Err(request.forbidden(Some(object), error)),
                all => {
                    let words = format!("[{}]", all.join(", "));
                    return Err(request.forbidden(Some(object), &words));
                }
            }
        }
        Ok(())
    }
}

/// New pods, and claims; what is on its way out is left alone. Upstream: SupportsAttributes.
fn is_handled(request: &Attributes<'_>) -> bool {
    let is_deleting = request.old.is_some_and(|old| old.meta().deletion_timestamp.is_some());
    let kind = request.kind.id;
    request.subresource == Subresource::None
        && !is_deleting
        && match request.verb {
            Verb::Create => matches!(kind, KindId::POD | KindId::PERSISTENT_VOLUME_CLAIM),
            Verb::Update => kind == KindId::PERSISTENT_VOLUME_CLAIM,
            _ => false,
        }
}

fn ranges(request: &Attributes<'_>, view: &View<'_>) -> Vec<LimitRange> {
    let all = view.list(KindId::LIMIT_RANGE);
    let ranges = all.in_namespace(request.namespace).filter_map(Object::get::<LimitRange>);
    ranges.cloned().collect()
}

fn items(range: &LimitRange) -> impl Iterator<Item = &LimitRangeItem> {
    range.spec.iter().flat_map(|spec| &spec.limits)
}

/// Upstream: PodMutateLimitFunc.
fn set_defaults(pod: &mut Pod, range: &LimitRange) {
    let (mut requests, mut limits) = (Resources::new(), Resources::new());
    for item in items(range).filter(|item| item.type_ == "Container") {
        requests.extend(item.default_request.clone().unwrap_or_default());
        limits.extend(item.default.clone().unwrap_or_default());
    }
    let mut said = Vec::new();
    let spec = pod.spec.get_or_insert_default();
    for container in &mut spec.containers {
        complete(container, "container", &requests, &limits, &mut said);
    }
    for container in spec.init_containers.iter_mut().flatten() {
        complete(container, "init container", &requests, &limits, &mut said);
    }
    if !said.is_empty() {
        let annotations = pod.metadata.annotations.get_or_insert_default();
        let words = format!("LimitRanger plugin set: {}", said.join("; "));
        annotations.insert(ANNOTATION.to_string(), words);
    }
}

/// Upstream: mergeContainerResources.
fn complete(
    container: &mut Container,
    what: &str,
    requests: &Resources,
    limits: &Resources,
    said: &mut Vec<String>,
) {
    let name = container.name.clone();
    let resources = container.resources.get_or_insert_default();
    let mut fill = |list: &mut Option<Resources>, defaults: &Resources, word: &str| {
        let mut set = Vec::new();
        for (key, quantity) in defaults {
            let list = list.get_or_insert_default();
            if !list.contains_key(key) {
                list.insert(key.clone(), quantity.clone());
                set.push(key.as_str());
            }
        }
        if !set.is_empty() {
            said.push(format!("{} {word} for {what} {name}", set.join(", ")));
        }
    };
    fill(&mut resources.requests, requests, "request");
    fill(&mut resources.limits, limits, "limit");
}

/// What somebody requests and may use of one resource, as errors show it.
type Asked = (Option<Quantity>, Option<Quantity>);

fn quantity(list: Option<&Resources>, name: &str) -> Option<Quantity> {
    Quantity::parse(&list?.get(name)?.0).ok()
}

/// Upstream: PodValidateLimitFunc.
fn check_pod(item: &LimitRangeItem, pod: &Pod, errors: &mut Vec<String>) {
    let Some(spec) = &pod.spec else { return };
    match item.type_.as_str() {
        "Container" => {
            let inits = spec.init_containers.iter().flatten();
            for container in spec.containers.iter().chain(inits) {
                let resources = container.resources.as_ref();
                check(item, errors, |name| {
                    (
                        quantity(resources.and_then(|it| it.requests.as_ref()), name),
                        quantity(resources.and_then(|it| it.limits.as_ref()), name),
                    )
                });
            }
        }
        "Pod" => {
            let options = PodResourcesOptions::default();
            let (requests, limits) = (pod_requests(pod, &options), pod_limits(pod, &options));
            let shown = |amounts: &Amounts, name: &str| {
                let format = if name == "cpu" { Format::DecimalSi } else { Format::BinarySi };
                amounts.get(name).map(|amount| Quantity::new(*amount, format))
            };
            check(item, errors, |name| (shown(&requests, name), shown(&limits, name)));
        }
        _ => {}
    }
}

/// Upstream: minConstraint, maxConstraint and limitRequestRatioConstraint.
fn check(item: &LimitRangeItem, errors: &mut Vec<String>, asked: impl Fn(&str) -> Asked) {
    let kind = &item.type_;
    let bound = |text: &QuantityText| Quantity::parse(&text.0).unwrap_or_default();
    for (name, least) in item.min.iter().flatten() {
        let (request, limit) = asked(name);
        let (least, words) = (bound(least), format!("minimum {name} usage per {kind} is"));
        let is_less = |quantity: &Quantity| quantity.amount() < least.amount();
        match (request, limit) {
            (None, _) => errors.push(format!("{words} {least}.  No request is specified")),
            (Some(request), _) if is_less(&request) => {
                errors.push(format!("{words} {least}, but request is {request}"));
            }
            (_, Some(limit)) if is_less(&limit) => {
                errors.push(format!("{words} {least}, but limit is {limit}"));
            }
            _ => {}
        }
    }
    for (name, most) in item.max.iter().flatten() {
        let (request, limit) = asked(name);
        let (most, words) = (bound(most), format!("maximum {name} usage per {kind} is"));
        let is_more = |quantity: &Quantity| quantity.amount() > most.amount();
        match (request, limit) {
            (_, None) => errors.push(format!("{words} {most}.  No limit is specified")),
            (_, Some(limit)) if is_more(&limit) => {
                errors.push(format!("{words} {most}, but limit is {limit}"));
            }
            (Some(request), _) if is_more(&request) => {
                errors.push(format!("{words} {most}, but request is {request}"));
            }
            _ => {}
        }
    }
    for (name, ratio) in item.max_limit_request_ratio.iter().flatten() {
        let (request, limit) = asked(name);
        let words = format!("{name} max limit to request ratio per {kind} is {}", ratio.0);
        errors.extend(
            check_ratio(&bound(ratio), request, limit).map(|why| format!("{words}, but {why}")),
        );
    }
}

fn check_ratio(
    most: &Quantity,
    request: Option<Quantity>,
    limit: Option<Quantity>,
) -> Option<String> {
    let some = |quantity: Option<Quantity>| quantity.filter(|it| it.amount() != Amount::ZERO);
    let Some(request) = some(request) else {
        return Some("no request is specified or request is 0".to_string());
    };
    let Some(limit) = some(limit) else {
        return Some("no limit is specified or limit is 0".to_string());
    };
    let ratio = limit.milli_value() as f64 / request.milli_value() as f64;
    let is_more = ratio * 1000.0 > most.milli_value() as f64;
    is_more.then(|| format!("provided ratio is {ratio:.6}"))
}

/// Upstream: PersistentVolumeClaimValidateLimitFunc.
fn check_claim(item: &LimitRangeItem, claim: &PersistentVolumeClaim, errors: &mut Vec<String>) {
    if item.type_ != "PersistentVolumeClaim" {
        return;
    }
    let resources = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref());
    let requests = resources.and_then(|resources| resources.requests.as_ref());
    let bounds = [(&item.min, "minimum", false), (&item.max, "maximum", true)];
    for (list, word, is_most) in bounds {
        for (name, text) in list.iter().flatten() {
            let words = format!("{word} {name} usage per {} is {}", item.type_, text.0);
            let bound = Amount::of(text);
            match quantity(requests, name) {
                None => errors.push(format!("{words}.  No request is specified")),
                Some(request) => {
                    let amount = request.amount();
                    if if is_most { amount > bound } else { amount < bound } {
                        errors.push(format!("{words}, but request is {request}"));
                    }
                }
            }
        }
    }
}
