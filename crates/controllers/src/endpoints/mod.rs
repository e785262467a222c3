//! The Endpoints controller: for every Service with a selector, keeps the one object that lists
//! the pods it selects.
//!
//! Upstream: pkg/controller/endpoint/endpoints_controller.go

use std::collections::BTreeMap;

use api::endpoints::repack_subsets;
use api::openapi::api::core::v1::{
    EndpointAddress, EndpointPort, EndpointSubset, Endpoints, ObjectReference, Pod, Service,
};
use api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use api::services::{CLUSTER_IP_NONE, find_port, has_cluster_ip, has_selector};
use api::{Key, Status};
use apiserver::DeleteOptions;
use client::EventType;
use component_helpers::pod_status::{is_pod_ready, node_name};
use jiff::Timestamp;
use sim::{Digest, Duration, OrdMap, Time};

use crate::endpoint_slice::ANNOTATION_TRIGGER_TIME;
use crate::endpoint_slice::labels::LABEL_HEADLESS;
use crate::endpoint_slice_mirroring::ANNOTATION_LEADER;
use crate::refusal::{is_namespace_terminating, is_not_found};
use crate::service_pods::{
    Trigger, addresses, belongs, endpoint_hostname, selected_pods, services_to_update,
};
use crate::{Action, Change, Controller, Enqueue, Error, SyncContext, Watch};

mod capacity;
#[cfg(test)]
mod tests;

/// The label by which the controller marks what it made, and what the label says.
pub(crate) const MANAGED_BY: (&str, &str) =
    ("endpoints.kubernetes.io/managed-by", "endpoint-controller");

/// How long it is at least from one write of an object to the next: every write states all
/// addresses. Upstream: `--kube-api-qps`, 20 requests of the controller in a second.
const WRITE_INTERVAL: Duration = Duration::from_millis(50);

/// The Endpoints controller.
#[derive(Clone, Debug, Default)]
pub struct EndpointsController {
    services: OrdMap<Key, Known>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    trigger: Trigger,
    /// When the object may be written again.
    next_write: Time,
}

impl Controller for EndpointsController {
    const NAME: &'static str = "endpoint-controller";

    fn watches() -> &'static [Watch<Self>] {
        const {
            &[
                Watch::on::<Service>(on_service),
                Watch::on::<Pod>(on_pod),
                Watch::on::<Endpoints>(on_endpoints),
            ]
        }
    }

    /// What was left behind while nobody looked after it has no Service any more. The locks of
    /// leaders never had one. Upstream: checkLeftoverEndpoints.
    fn start(&mut self, enqueue: &mut Enqueue<'_>) {
        let is_lock = |endpoints: &&Endpoints| {
            let annotations = endpoints.metadata.annotations.as_ref();
            annotations.is_some_and(|all| all.contains_key(ANNOTATION_LEADER))
        };
        let all = enqueue.informers.all::<Endpoints>().filter(|it| !is_lock(it));
        let keys: Vec<Key> = all.map(|it| Key::of(&it.metadata)).collect();
        keys.into_iter().for_each(|key| enqueue.add(key));
    }

    fn sync(&mut self, cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error> {
        let Some(service) = cx.informers.get::<Service>(key) else {
            self.services.remove(key);
            return delete(cx, key);
        };
        let is_named =
            service.spec.as_ref().is_some_and(|spec| spec.type_.as_deref() == Some("ExternalName"));
        if is_named || !has_selector(service) {
            return Ok(Action::Done);
        }
        let known = self.services.entry(key.clone()).or_default();
        let now = cx.now();
        if now < known.next_write {
            return Ok(Action::RequeueAfter(known.next_write.since(now)));
        }
        let trigger = known.trigger.take(service);
        let pods: Vec<&Pod> = selected_pods(cx.informers, service).collect();
        let subsets = subsets(service, &pods);
        let current = cx.informers.get::<Endpoints>(key);
        if current.is_some_and(|current| is_up_to_date(current, service, &subsets)) {
            return Ok(Action::Done);
        }
        known.next_write = now + WRITE_INTERVAL;
        let wanted = wanted(current, service, subsets, trigger);
        write(cx, key, current.is_none(), wanted)
    }

    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.services.len() as u64);
        for (key, known) in &self.services {
            digest.add(key);
            digest.add(&known.trigger);
            digest.add(&known.next_write);
        }
    }
}

fn on_service(_: &mut EndpointsController, change: &Change, enqueue: &mut Enqueue<'_>) {
    enqueue.add(change.key.clone());
}

fn on_pod(controller: &mut EndpointsController, change: &Change, enqueue: &mut Enqueue<'_>) {
    for concerned in services_to_update(enqueue.informers, change) {
        let known = controller.services.entry(concerned.service.clone()).or_default();
        known.trigger.note(concerned.trigger);
        enqueue.add(concerned.service);
    }
}

fn on_endpoints(_: &mut EndpointsController, change: &Change, enqueue: &mut Enqueue<'_>) {
    if change.new.is_none() {
        enqueue.add(change.key.clone());
    }
}

/// The Service is gone, and so its Endpoints shall be.
fn delete(cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error> {
    if cx.informers.get::<Endpoints>(key).is_none() {
        return Ok(Action::Done);
    }
    match cx.delete::<Endpoints>(key, DeleteOptions::default()) {
        Err(status) if !is_not_found(&status) => Err(status.into()),
        _ => Ok(Action::Done),
    }
}

fn write(
    cx: &mut SyncContext<'_, '_>,
    key: &Key,
    is_new: bool,
    wanted: Endpoints,
) -> Result<Action, Error> {
    let about = ObjectReference {
        kind: Some("Endpoints".to_string()),
        api_version: Some("v1".to_string()),
        namespace: Some(key.namespace.to_string()),
        name: Some(key.name.to_string()),
        ..ObjectReference::default()
    };
    let answer: Result<_, Status> =
        if is_new { cx.create(&key.namespace, wanted) } else { cx.update(wanted) };
    let Err(status) = answer else { return Ok(Action::Done) };
    if is_new && is_namespace_terminating(&status) {
        return Ok(Action::Done);
    }
    let (reason, message) = if is_new {
        let message = format!("Failed to create endpoint for service {key}: {status}");
        ("FailedToCreateEndpoint", message)
    } else {
        ("FailedToUpdateEndpoint", format!("Failed to update endpoint {key}: {status}"))
    };
    cx.event_about(&about, EventType::Warning, reason, &message);
    Err(status.into())
}

/// The pods of a Service as subsets of addresses with the same ports.
fn subsets(service: &Service, pods: &[&Pod]) -> Vec<EndpointSubset> {
    let Some(spec) = &service.spec else { return Vec::new() };
    let publishes = spec.publish_not_ready_addresses.unwrap_or(false);
    let has_no_ports = spec.ports.as_ref().is_none_or(Vec::is_empty);
    if has_no_ports && spec.cluster_ip.as_deref() != Some(CLUSTER_IP_NONE) {
        return Vec::new();
    }
    let mut by_ports: Vec<EndpointSubset> = Vec::new();
    for pod in pods.iter().filter(|pod| belongs(pod, publishes)) {
        let Some(address) = address(service, pod) else { continue };
        let ports = ports(service, pod);
        if ports.is_empty() && !has_no_ports {
            continue;
        }
        let ports = Some(ports).filter(|ports| !ports.is_empty());
        let index = by_ports.iter().position(|subset| subset.ports == ports);
        let index = index.unwrap_or_else(|| {
            by_ports.push(EndpointSubset { ports, ..EndpointSubset::default() });
            by_ports.len() - 1
        });
        let subset = &mut by_ports[index];
        let is_ready = publishes || is_pod_ready(pod);
        let list = if is_ready { &mut subset.addresses } else { &mut subset.not_ready_addresses };
        list.get_or_insert_default().push(address);
    }
    repack_subsets(by_ports)
}

/// Upstream: podToEndpointAddressForService.
fn address(service: &Service, pod: &Pod) -> Option<EndpointAddress> {
    let families = service.spec.as_ref().and_then(|spec| spec.ip_families.as_ref());
    let wants_v6 = families.and_then(|families| families.first()).is_some_and(|it| it == "IPv6");
    let ip = addresses(pod).find(|ip| ip.contains(':') == wants_v6)?;
    Some(EndpointAddress {
        ip: ip.to_string(),
        hostname: endpoint_hostname(pod, service),
        node_name: Some(node_name(pod).to_string()),
        target_ref: Some(ObjectReference {
            kind: Some("Pod".to_string()),
            namespace: pod.metadata.namespace.clone(),
            name: pod.metadata.name.clone(),
            uid: pod.metadata.uid.clone(),
            ..ObjectReference::default()
        }),
    })
}

fn ports(service: &Service, pod: &Pod) -> Vec<EndpointPort> {
    let ports = service.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
    let found = ports.filter_map(|port| {
        Some(EndpointPort {
            name: port.name.clone(),
            port: find_port(pod, port)?,
            protocol: port.protocol.clone(),
            app_protocol: port.app_protocol.clone(),
        })
    });
    found.collect()
}

/// The labels that the Endpoints of a Service have.
fn labels(service: &Service) -> BTreeMap<String, String> {
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    if service.spec.as_ref().is_some_and(has_cluster_ip) {
        labels.remove(LABEL_HEADLESS);
    } else {
        labels.insert(LABEL_HEADLESS.to_string(), String::new());
    }
    labels.insert(MANAGED_BY.0.to_string(), MANAGED_BY.1.to_string());
    labels
}

fn is_up_to_date(current: &Endpoints, service: &Service, subsets: &[EndpointSubset]) -> bool {
    current.subsets.as_deref().unwrap_or_default() == subsets
        && current.metadata.labels.as_ref() == Some(&labels(service))
        && capacity::is_marked_correctly(current)
}

fn wanted(
    current: Option<&Endpoints>,
    service: &Service,
    subsets: Vec<EndpointSubset>,
    trigger: Option<Timestamp>,
) -> Endpoints {
    let metadata = match current {
        Some(current) => current.metadata.clone(),
        None => ObjectMeta {
            name: service.metadata.name.clone(),
            namespace: service.metadata.namespace.clone(),
            ..ObjectMeta::default()
        },
    };
    let mut endpoints =
        Endpoints { metadata, subsets: Some(subsets).filter(|subsets| !subsets.is_empty()) };
    endpoints.metadata.labels = Some(labels(service));
    let annotations = endpoints.metadata.annotations.get_or_insert_default();
    match trigger {
        Some(time) => {
            annotations.insert(ANNOTATION_TRIGGER_TIME.to_string(), time.to_string());
        }
        None => {
            annotations.remove(ANNOTATION_TRIGGER_TIME);
        }
    }
    capacity::truncate(&mut endpoints);
    endpoints
}
