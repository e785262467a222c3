//! The garbage collector: deletes what nobody owns any longer, lets dependents go before their
//! owner where the owner waits for them, and cuts them loose where they are to stay.
//!
//! Changes of all kinds come in as keys `resource.group/namespace/name` of objects to look at;
//! deletions and changes of owner references and finalizers go out. The informers' index by
//! owner is the graph. What it shows may lag, so that nothing is deleted before the API server
//! was asked for the object and its owners.
//! Upstream: pkg/controller/garbagecollector

use std::collections::VecDeque;

use api::openapi::api::core::v1::ObjectReference;
use api::openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use api::{Key, Kind, KindId, Object};
use apiserver::{Body, DeleteOptions, Patch, Propagation, Subresource, Verb};
use client::EventType;
use sim::{Digest, OrdSet};

use crate::refusal::is_not_found;
use crate::{Action, Change, Controller, Enqueue, Error, SharedInformers, SyncContext, Watch};

#[cfg(test)]
mod tests;

const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";
/// How many owners that do not exist are remembered. Upstream: NewReferenceCache(500).
const ABSENT_OWNERS: usize = 500;

/// The garbage collector.
#[derive(Clone, Debug, Default)]
pub struct GarbageCollector {
    absent: AbsentOwners,
}

impl Controller for GarbageCollector {
    const NAME: &'static str = "generic-garbage-collector";
    /// The only keys that wait are those whose owner is of an unknown kind.
    const TIMERS_ARE_IDLE: bool = true;

    fn watches() -> &'static [Watch<Self>] {
        const { &[Watch::on_everything(on_change)] }
    }

    fn sync(&mut self, cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error> {
        let Some((kind, key)) = item(key) else { return Ok(Action::Done) };
        let informers = cx.informers;
        let Some(object) = informers.objects(kind).get(&key) else { return Ok(Action::Done) };
        let meta = object.meta();
        if is_deleting(meta) && has_finalizer(meta, ORPHAN) {
            orphan_dependents(cx, object)?;
        } else if !is_deleting(meta) || has_finalizer(meta, FOREGROUND) {
            self.attempt_to_delete(cx, object)?;
        }
        Ok(Action::Done)
    }

    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.absent.order);
    }
}

/// Owners that were found not to exist. UIDs are never used again, so that this stays true.
#[derive(Clone, Debug, Default)]
struct AbsentOwners {
    known: OrdSet<String>,
    order: VecDeque<String>,
}

impl AbsentOwners {
    fn add(&mut self, identity: String) {
        if self.known.insert(identity.clone()).is_none() {
            self.order.push_back(identity);
        }
        if self.order.len() > ABSENT_OWNERS
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

/// The key under which an object is queued.
fn item_key(kind: KindId, key: &Key) -> Key {
    Key::new(&format!("{}/{}", kind.get().group_resource(), key.namespace), &key.name)
}

/// The object that a key of the queue names.
fn item(key: &Key) -> Option<(KindId, Key)> {
    let (resource, namespace) = key.namespace.split_once('/')?;
    let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
    Some((Kind::serving(group, plural)?.id, Key::new(namespace, &key.name)))
}

fn references(meta: &ObjectMeta) -> &[OwnerReference] {
    meta.owner_references.as_deref().unwrap_or_default()
}

fn is_deleting(meta: &ObjectMeta) -> bool {
    meta.deletion_timestamp.is_some()
}

fn has_finalizer(meta: &ObjectMeta, name: &str) -> bool {
    meta.finalizers.iter().flatten().any(|finalizer| finalizer == name)
}

fn waits_for_dependents(meta: &ObjectMeta) -> bool {
    is_deleting(meta) && has_finalizer(meta, FOREGROUND)
}

/// The kind and key that a reference names, seen from an object of that namespace.
fn named(reference: &OwnerReference, namespace: &str) -> Option<(&'static Kind, Key)> {
    let kind = Kind::named(&reference.api_version, &reference.kind)?;
    let namespace = if kind.is_namespaced() { namespace } else { "" };
    Some((kind, Key::new(namespace, &reference.name)))
}

/// The owner as the informers know it.
fn known_owner<'i>(
    informers: &'i SharedInformers,
    reference: &OwnerReference,
    namespace: &str,
) -> Option<&'i Object> {
    let (kind, key) = named(reference, namespace)?;
    informers.objects(kind.id).get(&key).filter(|owner| owner.uid() == reference.uid)
}

/// Everything that names the UID among its owners.
fn dependents<'i>(
    informers: &'i SharedInformers,
    uid: &'i str,
) -> impl Iterator<Item = &'i Object> {
    informers.kinds().flat_map(move |kind| informers.objects(kind).owned_by(uid))
}

fn on_change(collector: &mut GarbageCollector, change: &Change, enqueue: &mut Enqueue<'_>) {
    match (&change.old, &change.new) {
        (old, Some(new)) => on_written(old.as_ref(), new, enqueue),
        (Some(old), None) => on_deleted(collector, old, enqueue),
        (None, None) => {}
    }
}

fn add(object: &Object, enqueue: &mut Enqueue<'_>) {
    enqueue.add(item_key(object.kind_id(), &object.key()));
}

/// Upstream: graph_builder.go, processGraphChanges and processTransitions.
fn on_written(old: Option<&Object>, new: &Object, enqueue: &mut Enqueue<'_>) {
    let informers = enqueue.informers;
    let namespace = new.namespace();
    let (was, is) = (old.map_or(&[][..], |old| references(old.meta())), references(new.meta()));
    if was != is {
        let added = is.iter().filter(|reference| was.iter().all(|old| old.uid != reference.uid));
        // An owner that is not known may not exist at all.
        if added.into_iter().any(|added| known_owner(informers, added, namespace).is_none()) {
            add(new, enqueue);
        }
        for unblocked in was.iter().filter(|old| old.block_owner_deletion == Some(true)) {
            let blocks = is.iter().any(|reference| {
                reference.uid == unblocked.uid && reference.block_owner_deletion == Some(true)
            });
            if !blocks && let Some(owner) = known_owner(informers, unblocked, namespace) {
                add(owner, enqueue);
            }
        }
    }
    let starts = |finalizer: &str| {
        let waits = |meta: &ObjectMeta| is_deleting(meta) && has_finalizer(meta, finalizer);
        waits(new.meta()) && !old.is_some_and(|old| waits(old.meta()))
    };
    if starts(ORPHAN) {
        add(new, enqueue);
    } else if starts(FOREGROUND) {
        dependents(informers, new.uid()).for_each(|dependent| add(dependent, enqueue));
        add(new, enqueue);
    }
}

fn on_deleted(collector: &mut GarbageCollector, old: &Object, enqueue: &mut Enqueue<'_>) {
    let informers = enqueue.informers;
    let mut had_dependents = false;
    for dependent in dependents(informers, old.uid()) {
        add(dependent, enqueue);
        had_dependents = true;
    }
    if had_dependents {
        collector.absent.add(identity(old.kind(), &old.key(), old.uid()));
    }
    for reference in references(old.meta()) {
        let owner = known_owner(informers, reference, old.namespace());
        if let Some(owner) = owner.filter(|owner| waits_for_dependents(owner.meta())) {
            add(owner, enqueue);
        }
    }
}

fn identity(kind: &Kind, key: &Key, uid: &str) -> String {
    format!("{}|{key}|{uid}", kind.group_kind())
}

/// What the API server says of an object's owners.
#[derive(Debug, Default)]
struct Owners {
    /// How many exist and do not wait for their dependents.
    solid: usize,
    /// The UIDs of those that do not exist.
    dangling: Vec<String>,
    /// The UIDs of those that wait for their dependents to go.
    waiting: Vec<String>,
}

impl GarbageCollector {
    /// Upstream: garbagecollector.go, attemptToDeleteItem.
    fn attempt_to_delete(
        &mut self,
        cx: &mut SyncContext<'_, '_>,
        object: &Object,
    ) -> Result<(), Error> {
        let Some(latest) = get(cx, object.kind_id(), &object.key(), object.uid())? else {
            // Its deletion has not been delivered yet.
            return Ok(());
        };
        if waits_for_dependents(object.meta()) {
            return process_waiting(cx, object);
        }
        let owners = self.classify(cx, &latest)?;
        let Some(owners) = owners.filter(|_| !references(latest.meta()).is_empty()) else {
            return Ok(());
        };
        if owners.solid > 0 {
            let gone: Vec<String> = owners.dangling.into_iter().chain(owners.waiting).collect();
            return if gone.is_empty() { Ok(()) } else { remove_references(cx, &latest, gone) };
        }
        let mut dependents = dependents(cx.informers, object.uid()).peekable();
        if !owners.waiting.is_empty() && dependents.peek().is_some() {
            // Two objects that wait for each other would wait for ever.
            if dependents.any(|dependent| waits_for_dependents(dependent.meta())) {
                unblock_references(cx, &latest)?;
            }
            return delete(cx, &latest, Propagation::Foreground);
        }
        let propagation = if has_finalizer(latest.meta(), ORPHAN) {
            Propagation::Orphan
        } else if has_finalizer(latest.meta(), FOREGROUND) {
            Propagation::Foreground
        } else {
            Propagation::Background
        };
        delete(cx, &latest, propagation)
    }

    /// Asks the API server for each owner. `None` when an object of the whole cluster names an
    /// owner in a namespace, of which nothing can be said.
    fn classify(
        &mut self,
        cx: &mut SyncContext<'_, '_>,
        object: &Object,
    ) -> Result<Option<Owners>, Error> {
        let mut owners = Owners::default();
        for reference in references(object.meta()) {
            let Some((kind, key)) = named(reference, object.namespace()) else {
                let (version, kind) = (&reference.api_version, &reference.kind);
                let message = format!("unable to get REST mapping for {version}/{kind}.");
                return Err(Error::Other(message));
            };
            if kind.is_namespaced() && object.namespace().is_empty() {
                return Ok(None);
            }
            let identity = identity(kind, &key, &reference.uid);
            let owner = if self.absent.known.contains(&identity) {
                None
            } else {
                get(cx, kind.id, &key, &reference.uid)?
            };
            match owner {
                None => {
                    report_other_namespace(cx, object, reference, kind);
                    self.absent.add(identity);
                    owners.dangling.push(reference.uid.clone());
                }
                Some(owner) if waits_for_dependents(owner.meta()) => {
                    owners.waiting.push(reference.uid.clone());
                }
                Some(_) => owners.solid += 1,
            }
        }
        Ok(Some(owners))
    }
}

/// Says so when the owner exists, but in another namespace.
/// Upstream: graph_builder.go, reportInvalidNamespaceOwnerRef.
fn report_other_namespace(
    cx: &mut SyncContext<'_, '_>,
    object: &Object,
    reference: &OwnerReference,
    kind: &Kind,
) {
    let namespace = object.namespace();
    let mut owners = cx.informers.objects(kind.id).iter();
    if !owners.any(|owner| owner.uid() == reference.uid && owner.namespace() != namespace) {
        return;
    }
    let OwnerReference { api_version, kind, name, uid, .. } = reference;
    let message = format!(
        "ownerRef [{api_version}/{kind}, namespace: {namespace}, name: {name}, uid: {uid}] does \
         not exist in namespace {namespace:?}"
    );
    let about = ObjectReference {
        api_version: Some(object.kind().api_version.to_string()),
        kind: Some(object.kind().kind.to_string()),
        namespace: object.meta().namespace.clone(),
        name: object.meta().name.clone(),
        uid: object.meta().uid.clone(),
        ..ObjectReference::default()
    };
    cx.event_about(&about, EventType::Warning, "OwnerRefInvalidNamespace", &message);
}

/// The object as it is stored, if it is still the one with that UID.
fn get(
    cx: &mut SyncContext<'_, '_>,
    kind: KindId,
    key: &Key,
    uid: &str,
) -> Result<Option<Object>, Error> {
    match cx.request(Verb::Get, (kind, key), Subresource::None, Body::None) {
        Ok(object) => Ok(Some(object).filter(|object| object.uid() == uid)),
        Err(status) if is_not_found(&status) => Ok(None),
        Err(status) => Err(status.into()),
    }
}

fn delete(
    cx: &mut SyncContext<'_, '_>,
    object: &Object,
    propagation: Propagation,
) -> Result<(), Error> {
    let options = DeleteOptions {
        propagation: Some(propagation),
        uid: object.meta().uid.clone(),
        resource_version: object.meta().resource_version.clone(),
        ..DeleteOptions::default()
    };
    let what = (object.kind_id(), &object.key());
    match cx.request(Verb::Delete, what, Subresource::None, Body::Delete(options)) {
        Err(status) if !is_not_found(&status) => Err(status.into()),
        _ => Ok(()),
    }
}

/// Changes the metadata of an object, if it is still the same. What is gone needs no change.
fn patch(
    cx: &mut SyncContext<'_, '_>,
    object: &Object,
    change: impl FnOnce(&mut ObjectMeta) + 'static,
) -> Result<(), Error> {
    let uid = object.meta().uid.clone();
    let change = Patch::Change(Box::new(move |object: &mut Object| {
        let meta = object.meta_mut();
        meta.uid = uid;
        change(meta);
    }));
    let what = (object.kind_id(), &object.key());
    match cx.request(Verb::Patch, what, Subresource::None, Body::Patch(change)) {
        Err(status) if !is_not_found(&status) => Err(status.into()),
        _ => Ok(()),
    }
}

fn remove_references(
    cx: &mut SyncContext<'_, '_>,
    object: &Object,
    uids: Vec<String>,
) -> Result<(), Error> {
    patch(cx, object, move |meta| {
        let owners = meta.owner_references.take().unwrap_or_default();
        let kept: Vec<OwnerReference> =
            owners.into_iter().filter(|owner| !uids.contains(&owner.uid)).collect();
        meta.owner_references = (!kept.is_empty()).then_some(kept);
    })
}

fn unblock_references(cx: &mut SyncContext<'_, '_>, object: &Object) -> Result<(), Error> {
    patch(cx, object, |meta| {
        for owner in meta.owner_references.iter_mut().flatten() {
            owner.block_owner_deletion = Some(false);
        }
    })
}

fn remove_finalizer(
    cx: &mut SyncContext<'_, '_>,
    object: &Object,
    finalizer: &'static str,
) -> Result<(), Error> {
    patch(cx, object, move |meta| {
        let finalizers = meta.finalizers.take().unwrap_or_default();
        let kept: Vec<String> = finalizers.into_iter().filter(|name| name != finalizer).collect();
        meta.finalizers = (!kept.is_empty()).then_some(kept);
    })
}

/// Lets an owner go that waits for its dependents, when none is left that blocks it.
/// Upstream: processDeletingDependentsItem.
fn process_waiting(cx: &mut SyncContext<'_, '_>, owner: &Object) -> Result<(), Error> {
    let informers = cx.informers;
    let uid = owner.uid();
    let mut blocking: Vec<Object> =
        dependents(informers, uid).filter(|object| blocks(object, uid)).cloned().collect();
    if blocking.is_empty() {
        // The cache may lag behind a dependent that was just made; it is asked for only when
        // the cache says that there is none.
        blocking = live_dependents(cx, owner)?;
        blocking.retain(|object| blocks(object, uid));
    }
    if blocking.is_empty() {
        return remove_finalizer(cx, owner, FOREGROUND);
    }
    for dependent in blocking.iter().filter(|object| !waits_for_dependents(object.meta())) {
        let key = item_key(dependent.kind_id(), &dependent.key());
        cx.enqueue_after(key, sim::Duration::ZERO);
    }
    Ok(())
}

fn blocks(dependent: &Object, owner_uid: &str) -> bool {
    references(dependent.meta())
        .iter()
        .any(|reference| reference.uid == owner_uid && reference.block_owner_deletion == Some(true))
}

/// The dependents as they are stored.
fn live_dependents(cx: &mut SyncContext<'_, '_>, owner: &Object) -> Result<Vec<Object>, Error> {
    let mut found = Vec::new();
    for kind in cx.informers.kinds() {
        if !owner.namespace().is_empty() && !kind.get().is_namespaced() {
            continue;
        }
        let listed = cx.list_live(kind, owner.namespace())?;
        found.extend(listed.into_iter().filter(|object| {
            references(object.meta()).iter().any(|reference| reference.uid == owner.uid())
        }));
    }
    Ok(found)
}

/// Takes the owner out of the references of its dependents, and then lets it go.
/// Upstream: attemptToOrphanWorker.
fn orphan_dependents(cx: &mut SyncContext<'_, '_>, owner: &Object) -> Result<(), Error> {
    for dependent in live_dependents(cx, owner)? {
        remove_references(cx, &dependent, vec![owner.uid().to_string()])?;
    }
    remove_finalizer(cx, owner, ORPHAN)
}
