//! Defaults of what limits others: quotas, ranges and disruption budgets.
//!
//! Upstream: SetDefaults_LimitRangeItem in pkg/apis/core/v1/defaults.go

use k8s_openapi::api::core::v1::{LimitRange, LimitRangeItem, ResourceQuota};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use super::omitted;
use super::resources::{ResourceList, resource_list};

/// Upstream: SetObjectDefaults_ResourceQuota.
pub(crate) fn resource_quota(quota: &mut ResourceQuota) {
    omitted::meta(&mut quota.metadata);
    let spec = quota.spec.get_or_insert_default();
    omitted::map(&mut spec.hard);
    omitted::list(&mut spec.scopes);
    resource_list(&mut spec.hard);
    let status = quota.status.get_or_insert_default();
    resource_list(&mut status.hard);
    resource_list(&mut status.used);
}

/// Upstream: SetObjectDefaults_LimitRange.
pub(crate) fn limit_range(range: &mut LimitRange) {
    omitted::meta(&mut range.metadata);
    for item in &mut range.spec.get_or_insert_default().limits {
        for list in [
            &mut item.max,
            &mut item.min,
            &mut item.default,
            &mut item.default_request,
            &mut item.max_limit_request_ratio,
        ] {
            omitted::map(list);
            resource_list(list);
        }
        container_item(item);
    }
}

/// The limit of a container is the most that it may have, and what it may have it requests,
/// unless the range says otherwise. Upstream: SetDefaults_LimitRangeItem.
fn container_item(item: &mut LimitRangeItem) {
    if item.type_ != "Container" {
        return;
    }
    complete(&mut item.default, item.max.as_ref());
    complete(&mut item.default_request, item.default.as_ref());
    complete(&mut item.default_request, item.min.as_ref());
}

fn complete(list: &mut Option<ResourceList>, from: Option<&ResourceList>) {
    for (name, quantity) in from.into_iter().flatten() {
        let list = list.get_or_insert_default();
        list.entry(name.clone()).or_insert_with(|| quantity.clone());
    }
}

/// Upstream sets nothing; what says nothing is not kept.
pub(crate) fn pod_disruption_budget(budget: &mut PodDisruptionBudget) {
    omitted::meta(&mut budget.metadata);
    let spec = budget.spec.get_or_insert_default();
    spec.selector.iter_mut().for_each(omitted::label_selector);
}
