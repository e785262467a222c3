//! Lists of resources: every quantity in canonical form and no finer than a thousandth.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as QuantityText;

use super::omitted;
use crate::quantity::Quantity;

/// The quantities of resources by the resource's name.
pub(crate) type ResourceList = BTreeMap<String, QuantityText>;

/// Rounds and rewrites the quantities of a list. Upstream: SetDefaults_ResourceList.
pub(crate) fn resource_list(list: &mut Option<ResourceList>) {
    for text in list.iter_mut().flat_map(BTreeMap::values_mut) {
        if let Ok(mut quantity) = Quantity::parse(text.0.trim()) {
            quantity.round_up_to_milli();
            rewrite(text, &quantity);
        }
    }
}

/// Rewrites a single quantity.
pub(super) fn quantity(text: &mut QuantityText) {
    if let Ok(quantity) = Quantity::parse(text.0.trim()) {
        rewrite(text, &quantity);
    }
}

fn rewrite(text: &mut QuantityText, quantity: &Quantity) {
    let canonical = quantity.to_string();
    if text.0 != canonical {
        text.0 = canonical;
    }
}

/// Rounds and rewrites requests and limits.
pub(super) fn requirements(resources: &mut ResourceRequirements) {
    omitted::requirements(resources);
    resource_list(&mut resources.limits);
    resource_list(&mut resources.requests);
}

/// Requests what is limited and not requested. Upstream: SetDefaults_Pod.
pub(super) fn requests_from_limits(resources: &mut Option<ResourceRequirements>) {
    let Some(resources) = resources else { return };
    let Some(limits) = &resources.limits else { return };
    let requests = resources.requests.get_or_insert_default();
    for (name, limit) in limits {
        if !requests.contains_key(name) {
            requests.insert(name.clone(), limit.clone());
        }
    }
}
