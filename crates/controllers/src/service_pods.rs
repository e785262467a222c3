//! Which Services a change of a pod concerns, and what the controllers of endpoints share about
//! pods.
//!
//! Upstream: staging/src/k8s.io/endpointslice/util/controller_utils.go and trigger_time_tracker.go

use std::collections::BTreeMap;

use api::Key;
use api::openapi::api::core::v1::{Pod, Service};
use component_helpers::pod_status::{is_pod_ready, is_pod_terminal, ready_condition};
use jiff::Timestamp;
use sim::{Digest, Digestible};

use crate::{Change, SharedInformers};

type Labels = BTreeMap<String, String>;

/// What happened since the endpoints of a Service were last looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trigger {
    /// Whether they ever were.
    is_known: bool,
    /// The first change of readiness since then.
    first: Option<Timestamp>,
}

impl Trigger {
    /// Notes that a pod's readiness changed.
    pub(crate) fn note(&mut self, time: Option<Timestamp>) {
        self.first = match (self.first, time) {
            (Some(first), Some(time)) => Some(first.min(time)),
            (first, time) => first.or(time),
        };
    }

    /// The time of the change that the endpoints will show, if they come to show any: that of
    /// the Service itself when it is new. Upstream: ComputeEndpointLastChangeTriggerTime.
    pub(crate) fn take(&mut self, service: &Service) -> Option<Timestamp> {
        let first = self.first.take();
        if std::mem::replace(&mut self.is_known, true) {
            return first;
        }
        service.metadata.creation_timestamp.as_ref().map(|time| time.0)
    }
}

impl Digestible for Trigger {
    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.is_known);
        digest.add(&self.first.is_some());
        if let Some(first) = self.first {
            digest.str(&first.to_string());
        }
    }
}

/// A Service that a change of a pod concerns.
#[derive(Debug)]
pub(crate) struct Concerned {
    pub(crate) service: Key,
    /// When the pod's readiness changed, if it did or if the pod is new to the Service.
    pub(crate) trigger: Option<Timestamp>,
}

/// Whether a Service's selector matches those labels; without a selector it matches nothing.
pub(crate) fn selects(service: &Service, labels: Option<&Labels>) -> bool {
    let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    selector.filter(|selector| !selector.is_empty()).is_some_and(|selector| {
        let found = |key: &String| labels.and_then(|labels| labels.get(key));
        selector.iter().all(|(key, value)| found(key) == Some(value))
    })
}

/// The Services whose endpoints may have to change. Upstream: GetServicesToUpdate.
pub(crate) fn services_to_update(informers: &SharedInformers, change: &Change) -> Vec<Concerned> {
    let (old, new) = (change.old::<Pod>(), change.new::<Pod>());
    let (pod_changed, labels_changed) = match (old, new) {
        (Some(old), Some(new)) => endpoints_changed(old, new),
        _ => (true, true),
    };
    if !pod_changed && !labels_changed {
        return Vec::new();
    }
    let old_labels = old.and_then(|pod| pod.metadata.labels.as_ref());
    let new_labels = new.and_then(|pod| pod.metadata.labels.as_ref());
    let (old_time, new_time) = (old.and_then(readiness_time), new.and_then(readiness_time));
    let services = informers.in_namespace::<Service>(&change.key.namespace);
    let concerned = services.filter_map(|service| {
        let before = old.is_some() && selects(service, old_labels);
        let after = new.is_some() && selects(service, new_labels);
        let is_concerned = if pod_changed { before || after } else { before != after };
        let is_later = !before || new_time > old_time;
        is_concerned.then(|| Concerned {
            service: Key::of(&service.metadata),
            trigger: new_time.filter(|_| after && is_later),
        })
    });
    concerned.collect()
}

fn readiness_time(pod: &Pod) -> Option<Timestamp> {
    ready_condition(pod)?.last_transition_time.as_ref().map(|time| time.0)
}

/// Whether a pod changed so that its endpoint may, and whether it changed so that it may belong
/// to other Services. Upstream: podEndpointsChanged.
fn endpoints_changed(old: &Pod, new: &Pod) -> (bool, bool) {
    let same_host = match (&old.spec, &new.spec) {
        (Some(old), Some(new)) => old.hostname == new.hostname && old.subdomain == new.subdomain,
        (old, new) => old.is_some() == new.is_some(),
    };
    let labels_changed = old.metadata.labels != new.metadata.labels || !same_host;
    let pod_changed = old.metadata.deletion_timestamp != new.metadata.deletion_timestamp
        || is_pod_ready(old) != is_pod_ready(new)
        || !addresses(old).eq(addresses(new));
    (pod_changed, labels_changed)
}

/// The addresses of a pod.
pub(crate) fn addresses(pod: &Pod) -> impl Iterator<Item = &str> {
    let ips = pod.status.iter().flat_map(|status| status.pod_ips.iter().flatten());
    ips.map(|ip| ip.ip.as_str())
}

/// Whether a pod has a place among endpoints. Upstream: ShouldPodBeInEndpoints.
pub(crate) fn belongs(pod: &Pod, include_terminating: bool) -> bool {
    let ip = pod.status.as_ref().and_then(|status| status.pod_ip.as_deref());
    let has_address = ip.is_some_and(|ip| !ip.is_empty()) || addresses(pod).next().is_some();
    has_address
        && !is_pod_terminal(pod)
        && (include_terminating || pod.metadata.deletion_timestamp.is_none())
}

/// The host name that the pod has as an endpoint of the Service. Upstream: ShouldSetHostname.
pub(crate) fn endpoint_hostname(pod: &Pod, service: &Service) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let is_its = spec.subdomain.is_some()
        && spec.subdomain == service.metadata.name
        && pod.metadata.namespace == service.metadata.namespace;
    spec.hostname.clone().filter(|hostname| is_its && !hostname.is_empty())
}

/// The pods that a Service selects, of all in its namespace.
pub(crate) fn selected_pods<'i>(
    informers: &'i SharedInformers,
    service: &'i Service,
) -> impl Iterator<Item = &'i Pod> {
    let namespace = service.metadata.namespace.as_deref().unwrap_or_default();
    informers
        .in_namespace::<Pod>(namespace)
        .filter(|pod| selects(service, pod.metadata.labels.as_ref()))
}
