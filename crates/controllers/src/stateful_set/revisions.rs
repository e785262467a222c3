//! The revisions of a StatefulSet: that of its template, and that which its pods are of.
//!
//! Upstream: pkg/controller/statefulset/stateful_set_control.go, getStatefulSetRevisions and
//! truncateHistory

use std::sync::Arc;

use api::openapi::api::apps::v1::{ControllerRevision, StatefulSet};
use api::openapi::api::core::v1::{Pod, PodTemplateSpec};
use api::status::Reason;
use api::{Key, Kinded, Object};
use apiserver::DeleteOptions;
use component_helpers::pod_template::{compute_hash, labels};
use serde_json::Value;
use sim::Sort;

use super::identity::revision_of;
use crate::history::{new_revision, next_number, number, template_patch};
use crate::{Error, SyncContext};

/// Upstream: history.ControllerRevisionHashLabel.
const LABEL_HASH: &str = "controller.kubernetes.io/hash";
/// How often a name that is taken is changed before the sync gives up.
const MOST_COLLISIONS: i32 = 100;

/// The two revisions that matter.
pub(super) struct Revisions {
    /// That which the pods had when the last update was complete.
    pub(super) current: Arc<ControllerRevision>,
    /// That of the template.
    pub(super) update: Arc<ControllerRevision>,
    /// How often a name was taken by another template's revision.
    pub(super) collisions: i32,
}

fn name(revision: &ControllerRevision) -> &str {
    revision.metadata.name.as_deref().unwrap_or_default()
}

impl Revisions {
    pub(super) fn current_name(&self) -> &str {
        name(&self.current)
    }

    pub(super) fn update_name(&self) -> &str {
        name(&self.update)
    }

    /// Finds the revisions, and makes that of the template when it is new. The list is sorted.
    pub(super) fn of(
        cx: &mut SyncContext<'_, '_>,
        set: &StatefulSet,
        all: &mut [Arc<ControllerRevision>],
    ) -> Result<Self, Error> {
        all.order_by(|one, other| {
            let key = |it: &ControllerRevision| {
                let created = it.metadata.creation_timestamp.as_ref().map(|time| time.0);
                (number(it), created, it.metadata.name.clone())
            };
            key(one).cmp(&key(other))
        });
        let status = set.status.as_ref();
        let mut collisions = status.and_then(|status| status.collision_count).unwrap_or(0);
        let patch = template_patch(&set.spec.template);
        let next = next_number(all);
        let equal = all.iter().rposition(|revision| revision.data.0 == patch);
        let update = match equal {
            Some(place) if place + 1 == all.len() => all[place].clone(),
            // The set goes back: its old revision becomes the newest.
            Some(place) => {
                let mut renumbered = (*all[place]).clone();
                renumbered.revision = Some(next);
                cx.update(renumbered)?
            }
            None => create(cx, set, &patch, next, &mut collisions)?,
        };
        let current_name = status.and_then(|status| status.current_revision.as_deref());
        let current = all.iter().find(|revision| Some(name(revision)) == current_name);
        let current = current.unwrap_or(&update).clone();
        Ok(Revisions { current, update, collisions })
    }

    /// The template of the pods that are still to be of the current revision.
    pub(super) fn current_template(&self, set: &StatefulSet) -> PodTemplateSpec {
        let applied = apply(set, &self.current.data.0);
        applied.map_or_else(|| set.spec.template.clone(), |applied| applied.spec.template.clone())
    }

    /// Deletes the oldest revisions that no pod is of, as far as there are too many.
    pub(super) fn truncate(
        &self,
        cx: &mut SyncContext<'_, '_>,
        set: &StatefulSet,
        all: &[Arc<ControllerRevision>],
        pods: &[Arc<Pod>],
    ) -> Result<(), Error> {
        let is_live = |revision: &ControllerRevision| {
            let name = name(revision);
            name == self.current_name()
                || name == self.update_name()
                || pods.iter().any(|pod| revision_of(pod) == name)
        };
        let unused: Vec<&Arc<ControllerRevision>> =
            all.iter().filter(|revision| !is_live(revision)).collect();
        let limit = usize::try_from(set.spec.revision_history_limit.unwrap_or(10));
        let surplus = unused.len().saturating_sub(limit.unwrap_or(usize::MAX));
        for revision in unused.into_iter().take(surplus) {
            let key = Key::of(&revision.metadata);
            cx.delete::<ControllerRevision>(&key, DeleteOptions::default())?;
        }
        Ok(())
    }
}

/// The set with the template that a revision holds. Upstream: ApplyRevision.
fn apply(set: &StatefulSet, patch: &Value) -> Option<Arc<StatefulSet>> {
    let mut template = patch.pointer("/spec/template")?.clone();
    template.as_object_mut()?.remove("$patch");
    let mut whole = Object::new(set.clone()).to_value();
    whole["spec"]["template"] = template;
    StatefulSet::ID.get().decode(whole).ok()?.typed()
}

/// Makes a revision; a name that another template's revision has is changed.
/// Upstream: CreateControllerRevision.
fn create(
    cx: &mut SyncContext<'_, '_>,
    set: &StatefulSet,
    patch: &Value,
    number: i64,
    collisions: &mut i32,
) -> Result<Arc<ControllerRevision>, Error> {
    let template = &set.spec.template;
    let namespace = set.metadata.namespace.as_deref().unwrap_or_default();
    loop {
        let hash = compute_hash(template, Some(*collisions).filter(|count| *count > 0));
        let name = format!("{}-{hash}", set.metadata.name.as_deref().unwrap_or_default());
        let mut labels = labels(template).cloned().unwrap_or_default();
        labels.insert(LABEL_HASH.to_string(), hash);
        let revision = new_revision(set, &name, labels, patch.clone(), number);
        let taken = match cx.create(namespace, revision) {
            Ok(created) => return Ok(created),
            Err(status) if status.is(Reason::AlreadyExists) => status,
            Err(status) => return Err(status.into()),
        };
        let existing = cx.get_live::<ControllerRevision>(&Key::new(namespace, &name))?;
        if existing.data.0 == *patch {
            return Ok(existing);
        }
        *collisions += 1;
        if *collisions > MOST_COLLISIONS {
            return Err(taken.into());
        }
    }
}
