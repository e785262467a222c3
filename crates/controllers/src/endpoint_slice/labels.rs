//! The labels and names of slices.
//!
//! Upstream: staging/src/k8s.io/endpointslice/utils.go

use std::collections::BTreeMap;

use api::openapi::api::core::v1::Service;
use api::services::has_cluster_ip;

type Labels = BTreeMap<String, String>;

/// Upstream: discovery.LabelServiceName.
pub(crate) const LABEL_SERVICE_NAME: &str = "kubernetes.io/service-name";
/// Upstream: discovery.LabelManagedBy.
pub(crate) const LABEL_MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// Upstream: v1.IsHeadlessService.
pub(crate) const LABEL_HEADLESS: &str = "service.kubernetes.io/headless";
/// Who writes the slices of Services with a selector.
pub(crate) const MANAGER: &str = "endpointslice-controller.k8s.io";

fn is_reserved(key: &str) -> bool {
    matches!(key, LABEL_SERVICE_NAME | LABEL_MANAGED_BY | LABEL_HEADLESS)
}

/// The labels of a Service's slices, and whether those of a slice differ, which has more than
/// those that are reserved. Upstream: setEndpointSliceLabels.
pub(super) fn slice_labels(slice: Option<&Labels>, service: &Service) -> (Labels, bool) {
    let own = |labels: Option<&Labels>| -> Labels {
        let labels = labels.into_iter().flatten().filter(|(key, _)| !is_reserved(key));
        labels.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let mut labels = own(service.metadata.labels.as_ref());
    let changed = own(slice) != labels;
    if !service.spec.as_ref().is_some_and(has_cluster_ip) {
        labels.insert(LABEL_HEADLESS.to_string(), String::new());
    }
    let name = service.metadata.name.clone().unwrap_or_default();
    labels.insert(LABEL_SERVICE_NAME.to_string(), name);
    labels.insert(LABEL_MANAGED_BY.to_string(), MANAGER.to_string());
    (labels, changed)
}

/// What the names of a Service's slices begin with. Upstream: getEndpointSlicePrefix.
pub(crate) fn slice_prefix(service: &str) -> String {
    // A subdomain has at most 253 characters, and no dash at its end.
    if service.len() < 253 { format!("{service}-") } else { service.to_string() }
}
