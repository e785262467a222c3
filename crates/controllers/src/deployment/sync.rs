//! Finding or making the ReplicaSet of the Deployment's template, and what happens when the
//! Deployment is paused, scaled or deleted.
//!
//! Upstream: pkg/controller/deployment/sync.go

use std::collections::BTreeMap;
use std::sync::Arc;

use api::openapi::api::apps::v1::{DeploymentStatus, ReplicaSet, ReplicaSetSpec};
use api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use api::status::Reason;
use api::{Key, Status};
use apiserver::DeleteOptions;
use client::EventType;
use component_helpers::controller_ref::{is_controlled_by, new_controller_ref};
use component_helpers::pod_template::{POD_TEMPLATE_HASH, compute_hash, equal_ignoring_hash};
use sim::Sort;

use super::progress::has_progress_deadline;
use super::replica_sets::{
    REVISION, active, compare_ages, desired, desired_annotation, new_replicas, replicas, revision,
    set_new_annotations, split, wanted,
};
use super::{Rollout, Split, conditions};
use crate::refusal::{is_namespace_terminating, is_not_found};
use crate::{Action, Error};

/// How long a name may be. Upstream: generateReplicaSetName.
const MAX_NAME_LENGTH: usize = 253;

impl Rollout<'_, '_, '_> {
    /// Updates the status and touches nothing else.
    pub(super) fn sync_status_only(&mut self) -> Result<Action, Error> {
        let split = self.split_and_sync_revision(false)?;
        self.sync_status(&split)
    }

    /// Reconciles a Deployment that is paused or was scaled: its replicas change, its rollout
    /// does not go on.
    pub(super) fn sync(&mut self) -> Result<Action, Error> {
        let split = self.split_and_sync_revision(false)?;
        self.scale(&split)?;
        if self.deployment.spec.paused == Some(true) {
            self.clean_up(&split.old)?;
        }
        self.sync_status(&split)
    }

    fn sync_status(&mut self, split: &Split) -> Result<Action, Error> {
        let status = self.calculate_status(split);
        if self.deployment.status.as_ref() != Some(&status) {
            self.store_status(status)?;
        }
        Ok(Action::Done)
    }

    /// Whether the number of replicas changed since the ReplicaSets were scaled last.
    pub(super) fn is_scaling_event(&mut self) -> Result<bool, Error> {
        let split = self.split_and_sync_revision(false)?;
        let all: Vec<_> = split.old.iter().chain(&split.new).cloned().collect();
        let desired = desired(&self.deployment);
        let annotated = active(&all).into_iter().filter_map(|found| desired_annotation(&found));
        Ok(annotated.into_iter().any(|annotated| annotated != desired))
    }

    /// Says in the conditions that the Deployment was paused or resumed.
    pub(super) fn check_paused_conditions(&mut self) -> Result<(), Error> {
        let current = conditions::progressing(&self.deployment);
        if !has_progress_deadline(&self.deployment)
            || conditions::has_reason(current, conditions::TIMED_OUT)
        {
            return Ok(());
        }
        let is_paused = self.deployment.spec.paused == Some(true);
        let says_paused = conditions::has_reason(current, conditions::PAUSED);
        let (reason, message) = match (is_paused, says_paused) {
            (true, false) => (conditions::PAUSED, "Deployment is paused"),
            (false, true) => (conditions::RESUMED, "Deployment is resumed"),
            _ => return Ok(()),
        };
        let mut status = self.status();
        self.set_progressing(&mut status, "Unknown", reason, message.to_string());
        self.store_status(status)
    }

    fn status(&self) -> DeploymentStatus {
        self.deployment.status.clone().unwrap_or_default()
    }

    fn set_progressing(
        &self,
        status: &mut DeploymentStatus,
        truth: &str,
        reason: &str,
        message: String,
    ) {
        let now = self.cx.timestamp();
        let condition = conditions::new(&now, conditions::PROGRESSING, truth, reason, message);
        conditions::set(status, condition);
    }

    /// Tells new from old, and brings the revisions up to date. The new ReplicaSet is made if
    /// it is missing and `create` says so.
    pub(super) fn split_and_sync_revision(&mut self, create: bool) -> Result<Split, Error> {
        let mut split = split(&self.deployment, &self.replica_sets);
        let newest = split.old.iter().map(|old| revision(old)).max().unwrap_or(0).max(0);
        split.new = match split.new {
            Some(new) => Some(self.keep_up(new, newest + 1)?),
            None if create => Some(self.create_new(&split.old, newest + 1)?),
            None => None,
        };
        if let Some(new) = &split.new {
            let known =
                self.replica_sets.iter_mut().find(|known| known.metadata.uid == new.metadata.uid);
            match known {
                Some(known) => *known = new.clone(),
                None => self.replica_sets.push(new.clone()),
            }
        }
        Ok(split)
    }

    /// Brings the new ReplicaSet's annotations and the Deployment's revision up to date.
    fn keep_up(
        &mut self,
        new: Arc<ReplicaSet>,
        new_revision: i64,
    ) -> Result<Arc<ReplicaSet>, Error> {
        let min_ready_seconds = self.deployment.spec.min_ready_seconds;
        let mut changed = (*new).clone();
        let annotated = set_new_annotations(&self.deployment, &mut changed, new_revision, true);
        let old_seconds = new.spec.min_ready_seconds;
        if annotated || old_seconds.unwrap_or(0) != min_ready_seconds.unwrap_or(0) {
            changed.spec.min_ready_seconds = min_ready_seconds;
            return Ok(self.cx.update(changed)?);
        }
        let revised = self.set_revision(revision(&new));
        let mut status = self.status();
        let unknown = has_progress_deadline(&self.deployment)
            && conditions::progressing(&self.deployment).is_none();
        if unknown {
            let message = format!("Found new replica set {:?}", name(&new));
            let reason = conditions::FOUND_NEW_REPLICA_SET;
            self.set_progressing(&mut status, "True", reason, message);
        }
        if revised || unknown {
            self.store_status(status)?;
        }
        Ok(new)
    }

    fn set_revision(&mut self, revision: i64) -> bool {
        let revision = revision.to_string();
        let annotations = self.deployment.metadata.annotations.get_or_insert_default();
        if annotations.get(REVISION) == Some(&revision) {
            return false;
        }
        annotations.insert(REVISION.to_string(), revision);
        true
    }

    fn create_new(
        &mut self,
        old: &[Arc<ReplicaSet>],
        new_revision: i64,
    ) -> Result<Arc<ReplicaSet>, Error> {
        let mut new = self.new_replica_set();
        let wanted = wanted(old.iter().map(|replica_set| &**replica_set));
        let count = new_replicas(&self.deployment, wanted, 0);
        new.spec.replicas = Some(count);
        set_new_annotations(&self.deployment, &mut new, new_revision, false);
        let new_name = name(&new).to_string();
        let namespace = new.metadata.namespace.clone().unwrap_or_default();
        let (created, existed) = match self.cx.create(&namespace, new) {
            Ok(created) => (created, false),
            Err(status) => (self.not_created(&Key::new(&namespace, &new_name), status)?, true),
        };
        if !existed && count > 0 {
            let message = format!("Scaled up replica set {new_name} from 0 to {count}");
            self.cx.event(&self.deployment, EventType::Normal, "ScalingReplicaSet", &message);
        }
        let revised = self.set_revision(new_revision);
        let mut status = self.status();
        let announce = !existed && has_progress_deadline(&self.deployment);
        if announce {
            let message = format!("Created new replica set {new_name:?}");
            self.set_progressing(&mut status, "True", conditions::NEW_REPLICA_SET, message);
        }
        if revised || announce {
            self.store_status(status)?;
        }
        Ok(created)
    }

    /// The ReplicaSet of the Deployment's template, before it has replicas.
    fn new_replica_set(&self) -> ReplicaSet {
        let spec = &self.deployment.spec;
        let mut template = spec.template.clone();
        let collisions = self.deployment.status.as_ref().and_then(|status| status.collision_count);
        let hash = compute_hash(&template, collisions);
        let add = |labels: Option<BTreeMap<String, String>>| {
            let mut labels = labels.unwrap_or_default();
            labels.insert(POD_TEMPLATE_HASH.to_string(), hash.clone());
            Some(labels)
        };
        let meta = template.metadata.get_or_insert_default();
        meta.labels = add(meta.labels.take());
        let labels = meta.labels.clone();
        let mut selector = spec.selector.clone();
        selector.match_labels = add(selector.match_labels.take());
        let base: String = self.deployment.metadata.name.clone().unwrap_or_default();
        let longest = MAX_NAME_LENGTH - 1 - hash.len();
        let base = base.get(..base.len().min(longest)).unwrap_or_default();
        ReplicaSet {
            metadata: ObjectMeta {
                name: Some(format!("{base}-{hash}")),
                namespace: self.deployment.metadata.namespace.clone(),
                owner_references: Some(vec![new_controller_ref(&self.deployment)]),
                labels,
                ..ObjectMeta::default()
            },
            spec: ReplicaSetSpec {
                replicas: Some(0),
                min_ready_seconds: spec.min_ready_seconds,
                selector,
                template: Some(template),
            },
            status: None,
        }
    }

    /// What to do when the new ReplicaSet could not be made: it may exist already and only not
    /// be known yet, or another template may have the same hash.
    fn not_created(&mut self, key: &Key, refused: Status) -> Result<Arc<ReplicaSet>, Error> {
        if refused.is(Reason::AlreadyExists) {
            return self.already_exists(key, refused);
        }
        if is_namespace_terminating(&refused) {
            return Err(refused.into());
        }
        let message = format!("Failed to create new replica set {:?}: {refused}", &*key.name);
        if has_progress_deadline(&self.deployment) {
            let mut status = self.status();
            let reason = conditions::FAILED_CREATE;
            self.set_progressing(&mut status, "False", reason, message.clone());
            self.store_status(status)?;
        }
        let reason = conditions::FAILED_CREATE;
        self.cx.event(&self.deployment, EventType::Warning, reason, &message);
        Err(refused.into())
    }

    fn already_exists(&mut self, key: &Key, refused: Status) -> Result<Arc<ReplicaSet>, Error> {
        let found = self.cx.get_live::<ReplicaSet>(key)?;
        let uid = self.deployment.metadata.uid.as_deref().unwrap_or_default();
        let template = found.spec.template.as_ref();
        let is_same = template
            .is_some_and(|template| equal_ignoring_hash(&self.deployment.spec.template, template));
        if is_controlled_by(&found.metadata, uid) && is_same {
            return Ok(found);
        }
        let mut status = self.status();
        status.collision_count = Some(status.collision_count.unwrap_or(0) + 1);
        self.store_status(status)?;
        Err(refused.into())
    }

    /// Deletes the oldest ReplicaSets beyond the limit of the history.
    pub(super) fn clean_up(&mut self, old: &[Arc<ReplicaSet>]) -> Result<(), Error> {
        let limit = self.deployment.spec.revision_history_limit;
        let Some(limit) = limit.filter(|limit| *limit != i32::MAX) else { return Ok(()) };
        let limit = usize::try_from(limit).unwrap_or(0);
        let alive = old.iter().filter(|old| old.metadata.deletion_timestamp.is_none());
        let mut alive: Vec<&Arc<ReplicaSet>> = alive.collect();
        let surplus = alive.len().saturating_sub(limit);
        alive.order_by(|one, other| {
            revision(one).cmp(&revision(other)).then_with(|| compare_ages(one, other))
        });
        for replica_set in alive.into_iter().take(surplus) {
            let status = replica_set.status.clone().unwrap_or_default();
            let unseen = replica_set.metadata.generation > status.observed_generation;
            if status.replicas != 0 || replicas(replica_set) != 0 || unseen {
                continue;
            }
            let key = Key::of(&replica_set.metadata);
            match self.cx.delete::<ReplicaSet>(&key, DeleteOptions::default()) {
                Err(status) if !is_not_found(&status) => return Err(status.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

fn name(replica_set: &ReplicaSet) -> &str {
    replica_set.metadata.name.as_deref().unwrap_or_default()
}
