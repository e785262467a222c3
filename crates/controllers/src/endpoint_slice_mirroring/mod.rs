//! The EndpointSlice mirroring controller: for every Service without a selector, keeps slices
//! that say what its Endpoints say, which somebody else writes.
//!
//! Upstream: pkg/controller/endpointslicemirroring

use api::Key;
use api::openapi::api::core::v1::{Endpoints, Service};
use api::openapi::api::discovery::v1::EndpointSlice;
use api::services::has_selector;
use apiserver::DeleteOptions;
use client::EventType;
use sim::{Digest, OrdMap, OrdSet};

use crate::endpoint_slice::labels::{LABEL_MANAGED_BY, LABEL_SERVICE_NAME};
use crate::refusal::{is_namespace_terminating, is_not_found};
use crate::{Action, Change, Controller, Enqueue, Error, SharedInformers, SyncContext, Watch};

mod mirror;
#[cfg(test)]
mod tests;

use mirror::{MAX_ENDPOINTS_PER_SUBSET, Plan, mirror};

/// Who writes the slices of Services without a selector.
const MANAGER: &str = "endpointslicemirroring-controller.k8s.io";
/// Upstream: discovery.LabelSkipMirror.
const LABEL_SKIP_MIRROR: &str = "endpointslice.kubernetes.io/skip-mirror";
/// Upstream: resourcelock.LeaderElectionRecordAnnotationKey.
pub(crate) const ANNOTATION_LEADER: &str = "control-plane.alpha.kubernetes.io/leader";

/// The EndpointSlice mirroring controller.
#[derive(Clone, Debug, Default)]
pub struct EndpointSliceMirroringController {
    /// The slices that it manages, by the Service that they name.
    slices: OrdMap<Key, OrdSet<Key>>,
}

impl Controller for EndpointSliceMirroringController {
    const NAME: &'static str = "endpointslicemirroring-controller";
    const EVENT_SOURCE: &'static str = "endpoint-slice-mirroring-controller";

    fn watches() -> &'static [Watch<Self>] {
        const {
            &[
                Watch::on::<Service>(on_service),
                Watch::on::<Endpoints>(on_endpoints),
                Watch::on::<EndpointSlice>(on_slice),
            ]
        }
    }

    fn sync(&mut self, cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error> {
        let informers = cx.informers;
        let service = informers.get::<Service>(key).filter(|service| !has_selector(service));
        let endpoints = informers.get::<Endpoints>(key).filter(|it| is_to_mirror(it));
        let names = self.slices.get(key).into_iter().flatten();
        let existing: Vec<&EndpointSlice> =
            names.filter_map(|name| informers.get::<EndpointSlice>(name)).collect();
        let (Some(_), Some(endpoints)) = (service, endpoints) else {
            for slice in existing {
                delete(cx, slice)?;
            }
            return Ok(Action::Done);
        };
        let (plan, skipped) = mirror(endpoints, &existing);
        if skipped > 0 {
            let message = format!(
                "A max of {MAX_ENDPOINTS_PER_SUBSET} addresses can be mirrored to EndpointSlices \
                 per Endpoints subset. {skipped} addresses were skipped"
            );
            cx.event(endpoints, EventType::Warning, "TooManyAddressesToMirror", &message);
        }
        finalize(cx, endpoints, key, plan).map(|()| Action::Done)
    }

    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.slices.len() as u64);
        for (service, slices) in &self.slices {
            digest.add(service);
            digest.add(slices);
        }
    }
}

/// Upstream: finalize.
fn finalize(
    cx: &mut SyncContext<'_, '_>,
    endpoints: &Endpoints,
    key: &Key,
    plan: Plan,
) -> Result<(), Error> {
    let is_deleting = endpoints.metadata.deletion_timestamp.is_some();
    for slice in plan.create.into_iter().filter(|_| !is_deleting) {
        match cx.create(&key.namespace, slice) {
            Ok(_) => {}
            Err(status) if is_namespace_terminating(&status) => return Ok(()),
            Err(status) => {
                return Err(Error::Other(format!(
                    "failed to create EndpointSlice for Endpoints {key}: {status}"
                )));
            }
        }
    }
    for slice in plan.update {
        let name = slice.metadata.name.clone().unwrap_or_default();
        if let Err(status) = cx.update(slice) {
            return Err(Error::Other(format!(
                "failed to update {name} EndpointSlice for Endpoints {key}: {status}"
            )));
        }
    }
    for slice in plan.delete {
        delete(cx, &slice)?;
    }
    Ok(())
}

fn delete(cx: &mut SyncContext<'_, '_>, slice: &EndpointSlice) -> Result<(), Error> {
    match cx.delete::<EndpointSlice>(&Key::of(&slice.metadata), DeleteOptions::default()) {
        Err(status) if !is_not_found(&status) => Err(status.into()),
        _ => Ok(()),
    }
}

/// Whether Endpoints are to be mirrored at all. Upstream: shouldMirror.
fn is_to_mirror(endpoints: &Endpoints) -> bool {
    let meta = &endpoints.metadata;
    let skips = meta.labels.as_ref().and_then(|labels| labels.get(LABEL_SKIP_MIRROR));
    let is_lock = meta.annotations.as_ref().is_some_and(|it| it.contains_key(ANNOTATION_LEADER));
    !is_lock && skips.is_none_or(|value| value != "true")
}

fn on_service(
    _: &mut EndpointSliceMirroringController,
    change: &Change,
    enqueue: &mut Enqueue<'_>,
) {
    let selects = |service: Option<&Service>| service.map(has_selector);
    let (old, new) = (selects(change.old::<Service>()), selects(change.new::<Service>()));
    let is_concerned = match (old, new) {
        (Some(old), Some(new)) => old != new,
        (old, new) => new.or(old) == Some(false),
    };
    if is_concerned {
        enqueue.add(change.key.clone());
    }
}

fn on_endpoints(
    _: &mut EndpointSliceMirroringController,
    change: &Change,
    enqueue: &mut Enqueue<'_>,
) {
    let (old, new) = (change.old::<Endpoints>(), change.new::<Endpoints>());
    if old.into_iter().chain(new).any(is_to_mirror) && may_concern(enqueue.informers, &change.key) {
        enqueue.add(change.key.clone());
    }
}

/// The Endpoints of Services with a selector are written often, and need no mirror. A Service
/// that comes to have no selector wakes its key itself.
fn may_concern(informers: &SharedInformers, key: &Key) -> bool {
    !informers.get::<Service>(key).is_some_and(has_selector)
}

fn service_of(slice: &EndpointSlice) -> Option<Key> {
    let labels = slice.metadata.labels.as_ref()?;
    if labels.get(LABEL_MANAGED_BY).map(String::as_str) != Some(MANAGER) {
        return None;
    }
    let name = labels.get(LABEL_SERVICE_NAME).filter(|name| !name.is_empty())?;
    Some(Key::new(slice.metadata.namespace.as_deref().unwrap_or_default(), name))
}

fn on_slice(
    controller: &mut EndpointSliceMirroringController,
    change: &Change,
    enqueue: &mut Enqueue<'_>,
) {
    let old = change.old::<EndpointSlice>().and_then(service_of);
    let new = change.new::<EndpointSlice>().and_then(service_of);
    if let Some(service) = &old
        && let Some(slices) = controller.slices.get_mut(service)
    {
        slices.remove(&change.key);
        if slices.is_empty() {
            controller.slices.remove(service);
        }
    }
    if let Some(service) = &new {
        controller.slices.entry(service.clone()).or_default().insert(change.key.clone());
    }
    old.into_iter().chain(new).for_each(|service| enqueue.add(service));
}
