//! Adopting orphans and releasing what matches no longer.
//!
//! Upstream: pkg/controller/controller_ref_manager.go

use std::sync::Arc;

use api::labels::Selector;
use api::openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use api::{Key, Kinded};
use component_helpers::controller_ref::{Claim, claim, new_controller_ref};
use sim::Sort;

use crate::refusal::is_not_found;
use crate::{Error, SyncContext};

/// The objects of type `T` that `owner` controls, after adopting the orphans that its selector
/// matches and releasing what it matches no longer. `candidate` says which objects may be
/// considered at all.
pub(crate) fn claim_objects<T: Kinded, O: Kinded>(
    cx: &mut SyncContext<'_, '_>,
    owner: &O,
    selector: &Selector,
    candidate: &dyn Fn(&T) -> bool,
) -> Result<Vec<Arc<T>>, Error> {
    let informers = cx.informers;
    let meta = owner.metadata();
    let uid = meta.uid.as_deref().unwrap_or_default();
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    let objects = informers.objects(T::ID);
    let orphans = informers.orphans::<T>(namespace).map(|orphan| Key::of(orphan.metadata()));
    let orphans: Vec<Key> = orphans.collect();
    let owned = objects.owned_by(uid).filter(|object| object.namespace() == namespace);
    let orphans = orphans.iter().filter_map(|key| objects.get(key));
    let orphans = orphans
        .filter(|object| !object.meta().owner_references.iter().flatten().any(|o| o.uid == uid));
    let mut claimed = Vec::new();
    let mut adoption = None;
    for object in owned.chain(orphans) {
        let Some(typed) = object.typed::<T>().filter(|typed| candidate(typed)) else { continue };
        let matches = selector.matches_meta(object.meta());
        match claim(meta, object.meta(), matches) {
            Claim::Owned => claimed.push(typed),
            Claim::Ignore => {}
            Claim::Release => release::<T>(cx, &object.key(), object.uid(), uid)?,
            Claim::Adopt => {
                let reference = match &adoption {
                    Some(reference) => reference,
                    None => adoption.insert(may_adopt(cx, owner)?),
                };
                claimed.extend(adopt::<T>(cx, &object.key(), object.uid(), reference)?);
            }
        }
    }
    if adoption.is_some() {
        claimed.order_by(|one, other| one.metadata().name.cmp(&other.metadata().name));
    }
    Ok(claimed)
}

/// Asks the API server whether the owner still lives: a stale cache must not make anybody adopt
/// what its successor should have. Upstream: RecheckDeletionTimestamp.
fn may_adopt<O: Kinded>(cx: &mut SyncContext<'_, '_>, owner: &O) -> Result<OwnerReference, Error> {
    let key = Key::of(owner.metadata());
    let fresh = cx.get_live::<O>(&key)?;
    let (found, wanted) = (&fresh.metadata().uid, &owner.metadata().uid);
    if found != wanted {
        return Err(Error::Other(format!(
            "original {} {key} is gone: got uid {}, wanted {}",
            O::ID.get().kind,
            found.as_deref().unwrap_or_default(),
            wanted.as_deref().unwrap_or_default()
        )));
    }
    if let Some(deleted) = &fresh.metadata().deletion_timestamp {
        return Err(Error::Other(format!("{key} has just been deleted at {}", deleted.0)));
    }
    Ok(new_controller_ref(owner))
}

fn adopt<T: Kinded>(
    cx: &mut SyncContext<'_, '_>,
    key: &Key,
    uid: &str,
    reference: &OwnerReference,
) -> Result<Option<Arc<T>>, Error> {
    let (uid, reference) = (uid.to_string(), reference.clone());
    let adopted = cx.patch::<T>(key, move |object| {
        let meta = object.metadata_mut();
        // The UID is the condition under which the patch applies.
        meta.uid = Some(uid);
        let owners = meta.owner_references.get_or_insert_default();
        owners.retain(|owner| owner.uid != reference.uid);
        owners.push(reference);
    });
    match adopted {
        Ok(object) => Ok(Some(object)),
        Err(status) if is_not_found(&status) => Ok(None),
        Err(status) => Err(status.into()),
    }
}

fn release<T: Kinded>(
    cx: &mut SyncContext<'_, '_>,
    key: &Key,
    uid: &str,
    owner_uid: &str,
) -> Result<(), Error> {
    let (uid, owner_uid) = (uid.to_string(), owner_uid.to_string());
    let released = cx.patch::<T>(key, move |object| {
        let meta = object.metadata_mut();
        meta.uid = Some(uid);
        if let Some(owners) = &mut meta.owner_references {
            owners.retain(|owner| owner.uid != owner_uid);
        }
        meta.owner_references = meta.owner_references.take().filter(|owners| !owners.is_empty());
    });
    match released {
        Ok(_) => Ok(()),
        // Gone, or another object by now: there is nothing left to release.
        Err(status) if is_not_found(&status) || status.is(api::status::Reason::Conflict) => Ok(()),
        Err(status) => Err(status.into()),
    }
}
