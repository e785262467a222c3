//! Deleting, at once or with grace, and what finalizers hold back.
//!
//! Upstream: staging/src/k8s.io/apiserver/pkg/registry/rest/delete.go, BeforeDelete, and
//! registry/generic/registry/store.go, deletionFinalizersForGarbageCollection.

use api::openapi::api::core::v1::Namespace;
use api::openapi::apimachinery::pkg::apis::meta::v1::Time as MetaTime;
use api::{Object, Status};
use etcd::Expect;
use jiff::SignedDuration;

use super::{Operation, Target, attributes};
use crate::{DeleteOptions, List, ListOptions, Propagation, Verb, admission};

const FINALIZER_ORPHAN: &str = "orphan";
const FINALIZER_FOREGROUND: &str = "foregroundDeletion";

/// Whether nothing holds a deleted object any longer.
pub(super) fn is_finished(object: &Object) -> bool {
    let meta = object.meta();
    meta.deletion_timestamp.is_some()
        && meta.finalizers.as_ref().is_none_or(Vec::is_empty)
        && meta.deletion_grace_period_seconds.unwrap_or(0) == 0
        && !held_by_spec(object)
}

/// A namespace has a second list of finalizers, in its spec.
fn held_by_spec(object: &Object) -> bool {
    let namespace = object.get::<Namespace>();
    let finalizers = namespace
        .and_then(|namespace| namespace.spec.as_ref())
        .and_then(|spec| spec.finalizers.as_ref());
    finalizers.is_some_and(|finalizers| !finalizers.is_empty())
}

impl Operation<'_> {
    pub(crate) fn delete(
        &mut self,
        target: &Target,
        options: &DeleteOptions,
    ) -> Result<Object, Status> {
        let (old, revision) = self.stored(target)?;
        let view = admission::View { server: self.server };
        let attributes = attributes(self.kind, target, Verb::Delete, Some(&old));
        for plugin in self.server.admission.iter() {
            plugin.validate(&attributes, None, &view)?;
        }
        self.check_preconditions(&old, options)?;
        let mut new = old.clone();
        let grace = self.mark(&mut new, options);
        if target.dry_run {
            return Ok(new);
        }
        if grace == 0 && is_finished(&new) {
            self.server.remove(self.now, &new, revision);
            return Ok(new);
        }
        if new == old {
            return Ok(new);
        }
        self.server
            .commit(self.now, new, Expect::Revision(revision))
            .map_err(|_| Status::modified(self.kind, &target.name))
    }

    fn check_preconditions(&self, object: &Object, options: &DeleteOptions) -> Result<(), Status> {
        let precondition = |what: &str, wanted: &Option<String>, found: &str| match wanted {
            Some(wanted) if wanted != found => {
                let error = format!(
                    "Precondition failed: {what} in precondition: {wanted}, {what} in object \
                     meta: {found}"
                );
                Err(Status::conflict(self.kind, object.name(), &error))
            }
            _ => Ok(()),
        };
        let version = object.meta().resource_version.as_deref().unwrap_or_default();
        precondition("UID", &options.uid, object.uid())?;
        precondition("ResourceVersion", &options.resource_version, version)
    }

    /// Marks the object as deleted as far as it is not marked already, and returns the grace
    /// that is left to it, in seconds.
    fn mark(&self, object: &mut Object, options: &DeleteOptions) -> i64 {
        let default_grace = (self.kind.default_grace_period_seconds)(object);
        let graceful = default_grace.is_some();
        let grace = match (default_grace, options.grace_period_seconds) {
            (None, _) => 0,
            (Some(default), None) => default,
            // A pod that runs nowhere needs no grace, whatever the request asks for.
            (Some(0), Some(_)) => 0,
            (Some(_), Some(asked)) => asked.max(0),
        };
        self.add_finalizers(object, options.propagation);
        let now = self.timestamp();
        let meta = object.meta_mut();
        let expires_after = |grace: i64, from: &MetaTime| {
            MetaTime(from.0.saturating_add(SignedDuration::from_secs(grace)).unwrap_or(from.0))
        };
        match (&meta.deletion_timestamp, meta.deletion_grace_period_seconds) {
            (Some(_), existing) if !graceful || existing.is_some_and(|old| old <= grace) => {
                return existing.unwrap_or(0);
            }
            (Some(deleted), Some(existing)) => {
                let requested = expires_after(-existing, deleted);
                let earliest = expires_after(grace, &requested);
                meta.deletion_timestamp = Some(if earliest.0 < now.0 { now } else { earliest });
                meta.deletion_grace_period_seconds = Some(grace);
            }
            _ => {
                meta.deletion_timestamp = Some(expires_after(grace, &now));
                meta.deletion_grace_period_seconds = Some(grace);
                if let Some(generation) = meta.generation.filter(|generation| *generation > 0) {
                    meta.generation = Some(generation + 1);
                }
            }
        }
        if let Some(namespace) = object.get_mut::<Namespace>() {
            namespace.metadata.deletion_grace_period_seconds = None;
            namespace.status.get_or_insert_default().phase = Some("Terminating".to_string());
        }
        grace
    }

    /// Adds or takes away the finalizers by which the garbage collector acts.
    fn add_finalizers(&self, object: &mut Object, propagation: Option<Propagation>) {
        let Some(propagation) = propagation else { return };
        let finalizers = object.meta().finalizers.clone().unwrap_or_default();
        let mut wanted: Vec<String> = finalizers
            .iter()
            .filter(|name| *name != FINALIZER_ORPHAN && *name != FINALIZER_FOREGROUND)
            .cloned()
            .collect();
        match propagation {
            Propagation::Background => {}
            Propagation::Foreground => wanted.push(FINALIZER_FOREGROUND.to_string()),
            Propagation::Orphan => wanted.push(FINALIZER_ORPHAN.to_string()),
        }
        if wanted != finalizers {
            object.meta_mut().finalizers = (!wanted.is_empty()).then_some(wanted);
        }
    }

    pub(crate) fn delete_collection(
        &mut self,
        target: &Target,
        options: &ListOptions,
    ) -> Result<List, Status> {
        let list = self.list(target, options)?;
        for object in &list.items {
            let target = Target {
                identity: target.identity.clone(),
                namespace: object.namespace().to_string(),
                name: object.name().to_string(),
                subresource: target.subresource,
                dry_run: target.dry_run,
            };
            self.delete(&target, &DeleteOptions::default())?;
        }
        Ok(list)
    }
}
