//! Which keys a change of an owned object wakes.
//!
//! Upstream: resolveControllerRef and the event handlers of pkg/controller's controllers

use api::labels::Selector;
use api::openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use api::{Key, Kinded};
use component_helpers::controller_ref::controller_of;

use crate::{Enqueue, SharedInformers};

/// The object of type `T` that controls another, if it is the one that the reference means.
pub(crate) fn owner_of<T: Kinded>(informers: &SharedInformers, meta: &ObjectMeta) -> Option<Key> {
    let owner = controller_of(meta).filter(|owner| owner.kind == T::ID.get().kind)?;
    let key = Key::new(meta.namespace.as_deref().unwrap_or_default(), &owner.name);
    let found = informers.objects(T::ID).get(&key)?;
    (found.uid() == owner.uid).then_some(key)
}

/// Wakes the owner of an object, or those that may adopt it: their selectors match it.
pub(crate) fn wake_owners<T: Kinded>(
    selector_of: fn(&T) -> Option<&LabelSelector>,
    old: Option<&ObjectMeta>,
    new: Option<&ObjectMeta>,
    enqueue: &mut Enqueue<'_>,
) {
    let informers = enqueue.informers;
    let known = [old, new].into_iter().flatten();
    let mut keys: Vec<Key> = known.filter_map(|meta| owner_of::<T>(informers, meta)).collect();
    if let Some(new) = new.filter(|new| controller_of(new).is_none()) {
        let changed = old
            .is_none_or(|old| old.labels != new.labels || controller_of(old) != controller_of(new));
        if changed && new.deletion_timestamp.is_none() {
            let namespace = new.namespace.as_deref().unwrap_or_default();
            let matching = informers.in_namespace::<T>(namespace).filter(|owner| {
                let selector = Selector::from_label_selector(selector_of(owner));
                selector.is_ok_and(|it| !it.is_everything() && it.matches_meta(new))
            });
            keys.extend(matching.map(|owner| Key::of(owner.metadata())));
        }
    }
    keys.into_iter().for_each(|key| enqueue.add(key));
}
