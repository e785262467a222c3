//! The EndpointSlice controller: for every Service with a selector, keeps the slices that list
//! the pods it selects.
//!
//! A change of a pod changes the endpoint of that pod alone. So a sync looks at the pods that
//! changed since the last one, and at all of them only when the Service itself changed, when
//! somebody else wrote a slice, or when the last sync failed.
//!
//! Upstream: pkg/controller/endpointslice/endpointslice_controller.go and
//! staging/src/k8s.io/endpointslice

use api::openapi::api::core::v1::{Node, Pod, Service};
use api::openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use api::services::has_selector;
use api::{Key, Status};
use apiserver::DeleteOptions;
use client::EventType;
use component_helpers::pod_status::{is_pod_terminal, node_name};
use jiff::Timestamp;
use sim::{Digest, OrdMap, OrdSet, SmallMap};

use crate::refusal::{is_namespace_terminating, is_not_found};
use crate::service_pods::{Trigger, belongs, selected_pods, selects, services_to_update};
use crate::{Action, Change, Controller, Enqueue, Error, SharedInformers, SyncContext, Watch};

pub(crate) mod endpoint;
mod hints;
pub(crate) mod labels;
mod reconcile;
#[cfg(test)]
mod reconcile_tests;
#[cfg(test)]
mod tests;

use endpoint::{EndpointKey, Ports, address_types, endpoint_of, endpoint_ports};
use labels::{LABEL_MANAGED_BY, LABEL_SERVICE_NAME, MANAGER};
use reconcile::{Desired, Group, Plan, Reconciler};

/// How many endpoints a slice holds at most. Upstream: `--max-endpoints-per-slice`.
const MAX_ENDPOINTS_PER_SLICE: usize = 100;
/// Upstream: v1.EndpointsLastChangeTriggerTime.
pub(crate) const ANNOTATION_TRIGGER_TIME: &str = "endpoints.kubernetes.io/last-change-trigger-time";

/// The EndpointSlice controller.
#[derive(Clone, Debug, Default)]
pub struct EndpointSliceController {
    services: OrdMap<Key, Known>,
}

/// What is known of a Service's slices.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Whether every endpoint was as it should be after the last sync, but for those of the pods
    /// in `dirty`.
    is_settled: bool,
    /// The pods that changed since then.
    dirty: OrdSet<Key>,
    trigger: Trigger,
    /// The generations of the slices after the controller's own writes, by their UIDs; `None` of
    /// those that it deleted. Upstream: EndpointSliceTracker.
    generations: SmallMap<String, Option<i64>>,
}

impl Controller for EndpointSliceController {
    const NAME: &'static str = "endpointslice-controller";
    const EVENT_SOURCE: &'static str = "endpoint-slice-controller";

    fn watches() -> &'static [Watch<Self>] {
        const {
            &[
                Watch::on::<Service>(on_service),
                Watch::on::<Pod>(on_pod),
                Watch::on::<Node>(on_node),
                Watch::on::<EndpointSlice>(on_slice),
            ]
        }
    }

    fn sync(&mut self, cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error> {
        let Some(service) = cx.informers.get::<Service>(key) else {
            self.services.remove(key);
            return Ok(Action::Done);
        };
        let is_named =
            service.spec.as_ref().is_some_and(|spec| spec.type_.as_deref() == Some("ExternalName"));
        if is_named || !has_selector(service) {
            self.services.remove(key);
            return Ok(Action::Done);
        }
        let known = self.services.entry(key.clone()).or_default();
        let outcome = known.reconcile(cx, service);
        known.is_settled = outcome.is_ok();
        if let Err(error) = &outcome {
            let message = format!("Error updating Endpoint Slices for Service {key}: {error}");
            cx.event(service, EventType::Warning, "FailedToUpdateEndpointSlices", &message);
        }
        outcome.map(|()| Action::Done)
    }

    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.services.len() as u64);
        for (key, known) in &self.services {
            digest.add(key);
            digest.add(&known.is_settled);
            digest.add(&known.dirty);
            digest.add(&known.trigger);
            digest.u64(known.generations.len() as u64);
            for (uid, generation) in &known.generations {
                digest.str(uid);
                digest.str(&generation.unwrap_or(-1).to_string());
            }
        }
    }
}

fn on_service(
    controller: &mut EndpointSliceController,
    change: &Change,
    enqueue: &mut Enqueue<'_>,
) {
    if let Some(known) = controller.services.get_mut(&change.key) {
        known.is_settled = false;
    }
    enqueue.add(change.key.clone());
}

fn on_pod(controller: &mut EndpointSliceController, change: &Change, enqueue: &mut Enqueue<'_>) {
    for concerned in services_to_update(enqueue.informers, change) {
        let known = controller.services.entry(concerned.service.clone()).or_default();
        known.dirty.insert(change.key.clone());
        known.trigger.note(concerned.trigger);
        enqueue.add(concerned.service);
    }
    // The end of a pod alone is no reason to look, but the next sync has to know of it.
    if let (Some(old), Some(new)) = (change.old::<Pod>(), change.new::<Pod>())
        && is_pod_terminal(old) != is_pod_terminal(new)
    {
        for service in enqueue.informers.in_namespace::<Service>(&change.key.namespace) {
            if selects(service, new.metadata.labels.as_ref()) {
                let key = Key::of(&service.metadata);
                controller.services.entry(key).or_default().dirty.insert(change.key.clone());
            }
        }
    }
}

/// A node that comes, goes or changes its labels may change the zone of endpoints: the next sync
/// looks at all of them.
fn on_node(controller: &mut EndpointSliceController, change: &Change, _: &mut Enqueue<'_>) {
    let labels = |node: Option<&Node>| node.map(|node| node.metadata.labels.clone());
    if labels(change.old::<Node>()) != labels(change.new::<Node>()) {
        controller.services.change_all(|_, known| known.is_settled = false);
    }
}

fn label<'s>(slice: &'s EndpointSlice, name: &str) -> &'s str {
    let labels = slice.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get(name)).map(String::as_str).unwrap_or_default()
}

fn is_managed(slice: &EndpointSlice) -> bool {
    label(slice, LABEL_MANAGED_BY) == MANAGER
}

fn service_of(slice: &EndpointSlice) -> Option<Key> {
    let namespace = slice.metadata.namespace.as_deref().unwrap_or_default();
    let name = Some(label(slice, LABEL_SERVICE_NAME)).filter(|name| !name.is_empty())?;
    Some(Key::new(namespace, name))
}

/// A slice that somebody else wrote is looked at; the controller's own writes come back with
/// the generations that they made.
fn on_slice(controller: &mut EndpointSliceController, change: &Change, enqueue: &mut Enqueue<'_>) {
    let (old, new) = (change.old::<EndpointSlice>(), change.new::<EndpointSlice>());
    let mut services = Vec::new();
    match (old, new) {
        (Some(old), Some(new)) if service_of(old) != service_of(new) => {
            services.extend(service_of(old).into_iter().chain(service_of(new)));
        }
        (old, Some(new)) => {
            let managed_by_changed = old.is_some_and(|old| is_managed(old) != is_managed(new));
            let is_foreign = is_managed(new) && !controller.has_written(new);
            services.extend(service_of(new).filter(|_| managed_by_changed || is_foreign));
        }
        (Some(old), None) if is_managed(old) => {
            services.extend(service_of(old).filter(|_| !controller.has_deleted(old)));
        }
        _ => {}
    }
    for service in services {
        controller.services.entry(service.clone()).or_default().is_settled = false;
        enqueue.add(service);
    }
}

impl EndpointSliceController {
    fn generations(&mut self, slice: &EndpointSlice) -> Option<&mut SmallMap<String, Option<i64>>> {
        let service = service_of(slice)?;
        self.services.get_mut(&service).map(|known| &mut known.generations)
    }

    /// Upstream: EndpointSliceTracker.ShouldSync.
    fn has_written(&mut self, slice: &EndpointSlice) -> bool {
        let generation = slice.metadata.generation;
        let uid = slice.metadata.uid.as_deref().unwrap_or_default();
        self.generations(slice).is_some_and(|it| it.get(uid) == Some(&generation))
    }

    /// Upstream: EndpointSliceTracker.Has and HandleDeletion.
    fn has_deleted(&mut self, slice: &EndpointSlice) -> bool {
        let uid = slice.metadata.uid.as_deref().unwrap_or_default();
        self.generations(slice).is_none_or(|it| it.remove(uid).is_none_or(|it| it.is_none()))
    }
}

impl Known {
    fn reconcile(&mut self, cx: &mut SyncContext<'_, '_>, service: &Service) -> Result<(), Error> {
        let dirty = std::mem::take(&mut self.dirty);
        let trigger = self.trigger.take(service);
        let is_settled = std::mem::take(&mut self.is_settled);
        let informers = cx.informers;
        let pods: Vec<&Pod> = if is_settled {
            let known = dirty.iter().filter_map(|key| informers.get::<Pod>(key));
            known.filter(|pod| selects(service, pod.metadata.labels.as_ref())).collect()
        } else {
            selected_pods(informers, service).collect()
        };
        let keeps = |endpoint: &Endpoint| {
            is_settled && pod_of(endpoint).is_some_and(|pod| !dirty.contains(&pod))
        };
        let existing = existing_slices(informers, service, is_settled);
        let mut missing = Vec::new();
        let types = address_types(service);
        let unsupported = existing.iter().filter(|it| !types.contains(&it.address_type.as_str()));
        let unsupported: Vec<EndpointSlice> = unsupported.map(|slice| (*slice).clone()).collect();
        for address_type in types {
            let of_type: Vec<&EndpointSlice> =
                existing.iter().filter(|it| it.address_type == address_type).copied().collect();
            let desired = desired(informers, service, &pods, address_type, &mut missing);
            let reconciler = Reconciler {
                service,
                address_type,
                max_endpoints_per_slice: MAX_ENDPOINTS_PER_SLICE,
                keeps: &keeps,
            };
            let plan = reconciler.reconcile(&of_type, desired);
            self.finalize(cx, service, plan, trigger)?;
        }
        self.delete(cx, &unsupported)?;
        match missing.into_iter().next() {
            None => Ok(()),
            Some(words) => Err(Error::Other(words)),
        }
    }

    /// Upstream: finalize.
    fn finalize(
        &mut self,
        cx: &mut SyncContext<'_, '_>,
        service: &Service,
        plan: Plan,
        trigger: Option<Timestamp>,
    ) -> Result<(), Error> {
        let key = Key::of(&service.metadata);
        // The garbage collector would have to delete whatever is made for a Service that goes.
        let is_deleting = service.metadata.deletion_timestamp.is_some();
        for mut slice in plan.create.into_iter().filter(|_| !is_deleting) {
            annotate(&mut slice, trigger);
            match cx.create(&key.namespace, slice) {
                Ok(created) => self.note(&created),
                Err(status) if is_namespace_terminating(&status) => return Ok(()),
                Err(status) => {
                    return failed(format!(
                        "failed to create EndpointSlice for Service {key}: {status}"
                    ));
                }
            }
        }
        for mut slice in plan.update {
            annotate(&mut slice, trigger);
            let name = slice.metadata.name.clone().unwrap_or_default();
            match cx.update(slice) {
                Ok(updated) => self.note(&updated),
                Err(status) => {
                    return failed(format!(
                        "failed to update {name} EndpointSlice for Service {key}: {status}"
                    ));
                }
            }
        }
        self.delete(cx, &plan.delete)
    }

    fn delete(
        &mut self,
        cx: &mut SyncContext<'_, '_>,
        slices: &[EndpointSlice],
    ) -> Result<(), Error> {
        for slice in slices {
            let key = Key::of(&slice.metadata);
            let uid = slice.metadata.uid.clone().unwrap_or_default();
            let deleted: Result<(), Status> =
                cx.delete::<EndpointSlice>(&key, DeleteOptions::default());
            match deleted {
                Ok(()) => drop(self.generations.insert(uid, None)),
                Err(status) if is_not_found(&status) => {}
                Err(status) => {
                    let service = service_of(slice).map(|key| key.to_string());
                    return failed(format!(
                        "failed to delete {} EndpointSlice for Service {}: {status}",
                        key.name,
                        service.unwrap_or_default()
                    ));
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, slice: &EndpointSlice) {
        let uid = slice.metadata.uid.clone().unwrap_or_default();
        self.generations.insert(uid, slice.metadata.generation);
    }
}

fn failed(words: String) -> Result<(), Error> {
    Err(Error::Other(words))
}

/// The pod behind an endpoint.
fn pod_of(endpoint: &Endpoint) -> Option<Key> {
    let target = endpoint.target_ref.as_ref()?;
    Some(Key::new(target.namespace.as_deref()?, target.name.as_deref()?))
}

/// The slices of a Service that the controller manages. Those that name the Service but have
/// another owner are looked for only when everything is looked at.
fn existing_slices<'i>(
    informers: &'i SharedInformers,
    service: &'i Service,
    is_settled: bool,
) -> Vec<&'i EndpointSlice> {
    let meta = &service.metadata;
    let name = meta.name.as_deref().unwrap_or_default();
    let is_its = |slice: &&EndpointSlice| {
        is_managed(slice)
            && label(slice, LABEL_SERVICE_NAME) == name
            && slice.metadata.deletion_timestamp.is_none()
    };
    if is_settled {
        let uid = meta.uid.as_deref().unwrap_or_default();
        return informers.owned_by::<EndpointSlice>(uid).filter(is_its).collect();
    }
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    informers.in_namespace::<EndpointSlice>(namespace).filter(is_its).collect()
}

/// The endpoints that those pods are, by their ports. A pod whose node is not known is none, and
/// is tried again: its name goes to `missing`.
fn desired(
    informers: &SharedInformers,
    service: &Service,
    pods: &[&Pod],
    address_type: &str,
    missing: &mut Vec<String>,
) -> Desired {
    let publishes = service.spec.as_ref().and_then(|spec| spec.publish_not_ready_addresses);
    let mut desired = Desired::new();
    for pod in pods.iter().filter(|pod| belongs(pod, true)) {
        let ports = endpoint_ports(service, pod);
        let group = desired.entry(Ports::of(Some(&ports)));
        let group = group.or_insert_with(|| Group { ports, endpoints: OrdMap::new() });
        let node = informers.get::<Node>(&Key::cluster(node_name(pod)));
        if node.is_none() && publishes != Some(true) {
            missing.push(format!(
                "skipping Pod {} for Service {}: Node {} Not Found",
                pod.metadata.name.as_deref().unwrap_or_default(),
                Key::of(&service.metadata),
                node_name(pod)
            ));
            continue;
        }
        let endpoint = endpoint_of(pod, node, service, address_type);
        if !endpoint.addresses.is_empty() {
            group.endpoints.insert(EndpointKey::of(&endpoint), endpoint);
        }
    }
    desired
}

/// Upstream: addTriggerTimeAnnotation.
fn annotate(slice: &mut EndpointSlice, trigger: Option<Timestamp>) {
    let annotations = slice.metadata.annotations.get_or_insert_default();
    match trigger {
        Some(time) => {
            annotations.insert(ANNOTATION_TRIGGER_TIME.to_string(), time.to_string());
        }
        None => {
            annotations.remove(ANNOTATION_TRIGGER_TIME);
        }
    }
}
