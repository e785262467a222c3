//! The revisions of a DaemonSet: one for each template that it had, so that it can go back.
//!
//! Upstream: pkg/controller/daemon/update.go

use std::sync::Arc;

use api::labels::Selector;
use api::openapi::api::apps::v1::{ControllerRevision, DaemonSet};
use api::openapi::api::core::v1::Pod;
use api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use api::status::Reason;
use api::{Key, Status};
use apiserver::DeleteOptions;
use component_helpers::pod_template::compute_hash;
use serde_json::Value;
use sim::{SmallSet, Sort};

use super::Sync;
use super::pods::LABEL_REVISION_HASH;
use crate::claim::claim_objects;
use crate::history::{new_revision, next_number, number, template_patch};
use crate::{Error, SyncContext};

type Revisions = Vec<Arc<ControllerRevision>>;

fn label(meta: &ObjectMeta) -> Option<&String> {
    meta.labels.as_ref().and_then(|labels| labels.get(LABEL_REVISION_HASH))
}

/// What tells the pods of a revision from others.
pub(super) fn hash_of(revision: &ControllerRevision) -> String {
    label(&revision.metadata).cloned().unwrap_or_default()
}

/// The revision of the current template, which is made when it is missing, and the others.
/// Upstream: constructHistory.
pub(super) fn construct(
    cx: &mut SyncContext<'_, '_>,
    daemon_set: &DaemonSet,
    selector: &Selector,
) -> Result<(Arc<ControllerRevision>, Revisions), Error> {
    let all = claim_objects::<ControllerRevision, _>(cx, daemon_set, selector, &|_| true)?;
    let patch = template_patch(&daemon_set.spec.template);
    let (mut current, mut old) = (Vec::new(), Vec::new());
    for revision in all {
        let revision = labelled(cx, revision)?;
        let is_current = revision.data.0 == patch;
        if is_current { current.push(revision) } else { old.push(revision) }
    }
    let next = next_number(&old);
    if current.is_empty() {
        return Ok((snapshot(cx, daemon_set, patch, next)?, old));
    }
    let mut kept = deduplicated(cx, daemon_set, selector, current)?;
    if number(&kept) < next {
        let mut renumbered = (*kept).clone();
        renumbered.revision = Some(next);
        kept = cx.update(renumbered)?;
    }
    Ok((kept, old))
}

/// A revision that somebody made without the label gets it.
fn labelled(
    cx: &mut SyncContext<'_, '_>,
    revision: Arc<ControllerRevision>,
) -> Result<Arc<ControllerRevision>, Status> {
    if label(&revision.metadata).is_some() {
        return Ok(revision);
    }
    let mut updated = (*revision).clone();
    let name = updated.metadata.name.clone().unwrap_or_default();
    let labels = updated.metadata.labels.get_or_insert_default();
    labels.insert(LABEL_REVISION_HASH.to_string(), name);
    cx.update(updated)
}

/// Of several revisions of the same template the newest stays, and the pods follow it.
/// Upstream: dedupCurHistories.
fn deduplicated(
    cx: &mut SyncContext<'_, '_>,
    daemon_set: &DaemonSet,
    selector: &Selector,
    mut current: Revisions,
) -> Result<Arc<ControllerRevision>, Error> {
    current.order_by_key(|revision| number(revision));
    let Some(kept) = current.pop() else {
        return Err(Error::Other("no revision of the current template".to_string()));
    };
    if current.is_empty() {
        return Ok(kept);
    }
    let hash = hash_of(&kept);
    for pod in claim_objects::<Pod, _>(cx, daemon_set, selector, &|_| true)? {
        if label(&pod.metadata) != Some(&hash) {
            let hash = hash.clone();
            cx.patch::<Pod>(&Key::of(&pod.metadata), move |pod| {
                let labels = pod.metadata.labels.get_or_insert_default();
                labels.insert(LABEL_REVISION_HASH.to_string(), hash);
            })?;
        }
    }
    for duplicate in current {
        let key = Key::of(&duplicate.metadata);
        cx.delete::<ControllerRevision>(&key, DeleteOptions::default())?;
    }
    Ok(kept)
}

/// Upstream: snapshot.
fn snapshot(
    cx: &mut SyncContext<'_, '_>,
    daemon_set: &DaemonSet,
    patch: Value,
    revision: i64,
) -> Result<Arc<ControllerRevision>, Error> {
    let meta = &daemon_set.metadata;
    let collisions = daemon_set.status.as_ref().and_then(|status| status.collision_count);
    let template = &daemon_set.spec.template;
    let hash = compute_hash(template, collisions);
    let name = format!("{}-{hash}", meta.name.as_deref().unwrap_or_default());
    let template_meta = template.metadata.as_ref();
    let mut labels = template_meta.and_then(|meta| meta.labels.clone()).unwrap_or_default();
    labels.insert(LABEL_REVISION_HASH.to_string(), hash);
    let history = new_revision(daemon_set, &name, labels, patch.clone(), revision);
    let key = Key::new(meta.namespace.as_deref().unwrap_or_default(), &name);
    match cx.create(&key.namespace, history) {
        Ok(created) => Ok(created),
        Err(status) if status.is(Reason::AlreadyExists) => {
            collided(cx, daemon_set, &key, &patch, status)
        }
        Err(status) => Err(status.into()),
    }
}

/// The name is taken: by this very revision, which the cache did not show yet, or by one of
/// another template with the same hash. Then the hash is to change.
fn collided(
    cx: &mut SyncContext<'_, '_>,
    daemon_set: &DaemonSet,
    key: &Key,
    patch: &Value,
    taken: Status,
) -> Result<Arc<ControllerRevision>, Error> {
    let existing = cx.get_live::<ControllerRevision>(key)?;
    if existing.data.0 == *patch {
        return Ok(existing);
    }
    let daemon_set_key = Key::of(&daemon_set.metadata);
    let count = |daemon_set: &DaemonSet| {
        daemon_set.status.as_ref().and_then(|status| status.collision_count)
    };
    let mut live = (*cx.get_live::<DaemonSet>(&daemon_set_key)?).clone();
    let (known, found) = (count(daemon_set), count(&live));
    if known != found {
        return Err(Error::Other(format!(
            "found a stale collision count ({}, expected {}) of DaemonSet \"{}\" while processing; \
             will retry until it is updated",
            known.unwrap_or(0),
            found.unwrap_or(0),
            daemon_set_key.name
        )));
    }
    live.status.get_or_insert_default().collision_count = Some(found.unwrap_or(0) + 1);
    cx.update_status(live)?;
    Err(taken.into())
}

impl Sync<'_> {
    /// Deletes the oldest revisions that no pod is of, as far as there are too many.
    /// Upstream: cleanupHistory.
    pub(super) fn clean_up_history(
        &self,
        cx: &mut SyncContext<'_, '_>,
        old: &[Arc<ControllerRevision>],
    ) -> Result<(), Error> {
        let limit = self.daemon_set.spec.revision_history_limit.unwrap_or(10);
        let surplus = old.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        if surplus == 0 {
            return Ok(());
        }
        let pods = self.pods(cx, true)?;
        let live: SmallSet<&String> =
            pods.values().flatten().filter_map(|pod| label(&pod.metadata)).collect();
        let mut old: Vec<&Arc<ControllerRevision>> = old.iter().collect();
        old.order_by_key(|revision| number(revision));
        let unused = old
            .into_iter()
            .filter(|revision| label(&revision.metadata).is_none_or(|hash| !live.contains(hash)));
        for revision in unused.take(surplus) {
            let key = Key::of(&revision.metadata);
            cx.delete::<ControllerRevision>(&key, DeleteOptions::default())?;
        }
        Ok(())
    }
}
