//! Going back to the template of an earlier revision, where an annotation asks the controller
//! for it. Clients of today send the old template themselves; the annotation is what is left of
//! a field of older versions.
//!
//! Upstream: pkg/controller/deployment/rollback.go

use api::openapi::api::apps::v1::{Deployment, ReplicaSet};
use client::EventType;
use component_helpers::pod_template::{POD_TEMPLATE_HASH, equal_ignoring_hash};

use super::replica_sets::{NOT_COPIED, ROLLBACK_TO, revision};
use super::{Rollout, Split};
use crate::{Action, Error};

const REVISION_NOT_FOUND: &str = "DeploymentRollbackRevisionNotFound";
const TEMPLATE_UNCHANGED: &str = "DeploymentRollbackTemplateUnchanged";
const DONE: &str = "DeploymentRollback";

/// The revision that the Deployment is asked to go back to; 0 means the last one before. What is
/// no number is ignored. Upstream: getRollbackTo.
pub(super) fn wanted_revision(deployment: &Deployment) -> Option<i64> {
    deployment.metadata.annotations.as_ref()?.get(ROLLBACK_TO)?.parse().ok()
}

impl Rollout<'_, '_, '_> {
    /// Takes over the template of a revision. Whatever comes of it, the wish is struck out.
    pub(super) fn roll_back(&mut self, wanted: i64) -> Result<Action, Error> {
        let split = self.split_and_sync_revision(true)?;
        let wanted = if wanted == 0 { last_revision(&split) } else { wanted };
        if wanted == 0 {
            self.warn(REVISION_NOT_FOUND, "Unable to find last revision.");
            return self.strike_out_rollback();
        }
        let Some(found) = split.all().find(|replica_set| revision(replica_set) == wanted) else {
            self.warn(REVISION_NOT_FOUND, "Unable to find the revision to rollback to.");
            return self.strike_out_rollback();
        };
        let name = self.deployment.metadata.name.clone().unwrap_or_default();
        let template = found.spec.template.as_ref();
        if template.is_none_or(|it| equal_ignoring_hash(&self.deployment.spec.template, it)) {
            let words = "The rollback revision contains the same template as current deployment";
            self.warn(TEMPLATE_UNCHANGED, &format!("{words} {name:?}"));
            return self.strike_out_rollback();
        }
        take_over(&mut self.deployment, found);
        let action = self.strike_out_rollback()?;
        let message = format!("Rolled back deployment {name:?} to revision {wanted}");
        self.cx.event(&self.deployment, EventType::Normal, DONE, &message);
        Ok(action)
    }

    fn warn(&mut self, reason: &str, message: &str) {
        self.cx.event(&self.deployment, EventType::Warning, reason, message);
    }

    fn strike_out_rollback(&mut self) -> Result<Action, Error> {
        if let Some(annotations) = &mut self.deployment.metadata.annotations {
            annotations.remove(ROLLBACK_TO);
        }
        self.cx.update(self.deployment.clone())?;
        Ok(Action::Done)
    }
}

/// The second greatest revision; 0 when there are not two. Upstream: LastRevision.
fn last_revision(split: &Split) -> i64 {
    let (mut greatest, mut second) = (0, 0);
    for revision in split.all().map(revision) {
        if revision >= greatest {
            second = greatest;
            greatest = revision;
        } else if revision > second {
            second = revision;
        }
    }
    second
}

/// Gives the Deployment a ReplicaSet's template, and the annotations that it had with it: they
/// would otherwise be copied to the ReplicaSet in their newer form.
/// Upstream: SetFromReplicaSetTemplate, SetDeploymentAnnotationsTo.
fn take_over(deployment: &mut Deployment, replica_set: &ReplicaSet) {
    let mut template = replica_set.spec.template.clone().unwrap_or_default();
    if let Some(labels) = template.metadata.as_mut().and_then(|meta| meta.labels.as_mut()) {
        labels.remove(POD_TEMPLATE_HASH);
    }
    deployment.spec.template = template;
    let annotations = deployment.metadata.annotations.get_or_insert_default();
    annotations.retain(|name, _| NOT_COPIED.contains(&name.as_str()));
    for (name, value) in replica_set.metadata.annotations.iter().flatten() {
        if !NOT_COPIED.contains(&name.as_str()) {
            annotations.insert(name.clone(), value.clone());
        }
    }
}
