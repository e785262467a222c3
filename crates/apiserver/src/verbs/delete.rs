//! Deleting, at once or with grace, and what finalizers hold back.
//!
//! Upstream: staging/src/k8s.io/apiserver/pkg/registry/rest/delete.go, BeforeDelete, and
//! registry/generic/registry/store.go, Delete.

use api::openapi::api::core::v1::{Namespace, Pod};
use api::openapi::apimachinery::pkg::apis::meta::v1::Time as MetaTime;
use api::status::Reason;
use api::{KindId, Object, Status};
use etcd::Expect;
use jiff::SignedDuration;

use super::{Operation, Target};
use crate::{DeleteOptions, List, ListOptions, Propagation, Response, Verb};

const FINALIZER_ORPHAN: &str = "orphan";
const FINALIZER_FOREGROUND: &str = "foregroundDeletion";

/// Whether nothing holds a deleted object any longer.
/// Upstream: registry/generic/registry/store.go, ShouldDeleteDuringUpdate.
pub(super) fn is_finished(object: &Object) -> bool {
    let meta = object.meta();
    meta.deletion_timestamp.is_some()
        && meta.finalizers.as_ref().is_none_or(Vec::is_empty)
        && meta.deletion_grace_period_seconds.unwrap_or(0) == 0
        && !is_held_by_spec(object)
}

/// A namespace has a second list of finalizers, in its spec.
fn is_held_by_spec(object: &Object) -> bool {
    let namespace = object.get::<Namespace>();
    let finalizers = namespace
        .and_then(|namespace| namespace.spec.as_ref())
        .and_then(|spec| spec.finalizers.as_ref());
    finalizers.is_some_and(|finalizers| !finalizers.is_empty())
}

/// How far grace goes.
enum Grace {
    /// The kind has no grace, or it is over.
    None,
    /// The object was given that many seconds.
    Seconds(i64),
    /// The object has been given grace before, and no shorter one is asked for.
    Pending,
}

impl Operation<'_> {
    pub(super) fn delete(
        &mut self,
        target: &Target,
        options: &DeleteOptions,
    ) -> Result<Response, Status> {
        let (old, revision) = self.stored(target)?;
        self.check_preconditions(&old, options)?;
        let mut new = old.clone();
        let is_namespace = self.kind.id == KindId::NAMESPACE;
        if is_namespace && old.meta().deletion_timestamp.is_none() {
            self.admit_deletion(target, &old)?;
            self.terminate(&mut new, options);
            return self.store_marked(target, new, revision).map(Response::Object);
        }
        if is_namespace && is_held_by_spec(&old) {
            return Ok(Response::Object(old));
        }
        let grace = self.give_grace(&mut new, options);
        if matches!(grace, Grace::Pending) {
            return Ok(Response::Object(old));
        }
        self.admit_deletion(target, &old)?;
        self.set_finalizers(&mut new, options.propagation);
        let is_held = new.meta().finalizers.as_ref().is_some_and(|names| !names.is_empty());
        match grace {
            Grace::None if is_held => {
                self.mark_as_deleting(&mut new);
                self.store_marked(target, new, revision).map(Response::Object)
            }
            Grace::Seconds(seconds) => {
                let marked = self.store_marked(target, new, revision)?;
                if is_held || seconds > 0 {
                    return Ok(Response::Object(marked));
                }
                Ok(self.remove(target, marked))
            }
            Grace::None | Grace::Pending => Ok(self.remove(target, old)),
        }
    }

    fn admit_deletion(&mut self, target: &Target, old: &Object) -> Result<(), Status> {
        let attributes = self.attributes(target, Verb::Delete, Some(old));
        self.admit(&attributes, None)?;
        self.validate_admission(&attributes, None)
    }

    fn store_marked(
        &mut self,
        target: &Target,
        new: Object,
        revision: u64,
    ) -> Result<Object, Status> {
        let same =
            self.server.etcd.get(&(self.kind.id, new.key())).is_some_and(|kv| kv.value == new);
        if target.dry_run || same {
            return Ok(new);
        }
        self.server
            .commit(self.now, new, Expect::Revision(revision))
            .map_err(|_| Status::modified(self.kind, &target.name))
    }

    fn remove(&mut self, target: &Target, object: Object) -> Response {
        let stored = self.server.etcd.get(&(self.kind.id, object.key()));
        if let Some(revision) = stored.map(|kv| kv.mod_revision).filter(|_| !target.dry_run) {
            self.server.remove(self.now, &object, revision);
        }
        Response::Deleted(object)
    }

    fn check_preconditions(&self, object: &Object, options: &DeleteOptions) -> Result<(), Status> {
        let failed =
            |error: String| Err(Status::precondition_failed(self.kind, object.name(), &error));
        let uid = object.uid();
        if let Some(wanted) = options.uid.as_deref().filter(|wanted| *wanted != uid) {
            return failed(format!(
                "the UID in the precondition ({wanted}) does not match the UID in record ({uid}). \
                 The object might have been deleted and then recreated"
            ));
        }
        let version = object.meta().resource_version.as_deref().unwrap_or_default();
        let wanted = options.resource_version.as_deref();
        if let Some(wanted) = wanted.filter(|wanted| *wanted != version) {
            return failed(format!(
                "the ResourceVersion in the precondition ({wanted}) does not match the \
                 ResourceVersion in record ({version}). The object might have been modified"
            ));
        }
        Ok(())
    }

    /// Marks an object of a kind with grace as deleted, or shortens the grace it has.
    /// Upstream: registry/rest/delete.go, BeforeDelete.
    fn give_grace(&self, object: &mut Object, options: &DeleteOptions) -> Grace {
        let Some(default) = (object.behaviour().default_grace_period_seconds)(object) else {
            return Grace::None;
        };
        // A negative period means one second.
        let normal = |seconds: i64| if seconds < 0 { 1 } else { seconds };
        let asked = options.grace_period_seconds.map(normal);
        let needs_none = needs_no_grace(object);
        let now = self.timestamp();
        let meta = object.meta_mut();
        let Some(deleted) = &meta.deletion_timestamp else {
            let seconds = if needs_none { 0 } else { asked.unwrap_or(normal(default)) };
            meta.deletion_timestamp = Some(later(&now, seconds));
            meta.deletion_grace_period_seconds = Some(seconds);
            count_generation(object);
            return Grace::Seconds(seconds);
        };
        let existing = meta.deletion_grace_period_seconds.map_or(0, normal);
        if existing == 0 {
            return Grace::None;
        }
        match asked.filter(|asked| *asked < existing) {
            None => Grace::Pending,
            Some(seconds) => {
                meta.deletion_timestamp = Some(later(deleted, seconds - existing));
                meta.deletion_grace_period_seconds = Some(seconds);
                Grace::Seconds(seconds)
            }
        }
    }

    /// Marks an object without grace as deleted, for its finalizers to be looked after.
    /// Upstream: registry/generic/registry/store.go, markAsDeleting.
    fn mark_as_deleting(&self, object: &mut Object) {
        let now = self.timestamp();
        if object.meta().deletion_timestamp.is_none() {
            count_generation(object);
        }
        let meta = object.meta_mut();
        if meta.deletion_timestamp.as_ref().is_none_or(|time| time.0 > now.0) {
            meta.deletion_timestamp = Some(now);
        }
        meta.deletion_grace_period_seconds = Some(0);
    }

    /// The first deletion of a namespace only begins its end.
    /// Upstream: pkg/registry/core/namespace/storage/storage.go, Delete.
    fn terminate(&self, object: &mut Object, options: &DeleteOptions) {
        self.set_finalizers(object, options.propagation);
        object.meta_mut().deletion_timestamp = Some(self.timestamp());
        if let Some(namespace) = object.get_mut::<Namespace>() {
            namespace.status.get_or_insert_default().phase = Some("Terminating".to_string());
        }
    }

    /// Adds or takes away the finalizers by which the garbage collector acts. Without a policy
    /// in the request those that the object has decide.
    /// Upstream: registry/generic/registry/store.go, deletionFinalizersForGarbageCollection.
    fn set_finalizers(&self, object: &mut Object, propagation: Option<Propagation>) {
        let finalizers = object.meta().finalizers.as_deref().unwrap_or_default();
        let of_collector = |name: &str| name == FINALIZER_ORPHAN || name == FINALIZER_FOREGROUND;
        let first = finalizers.iter().map(String::as_str).find(|name| of_collector(name));
        let added = match propagation {
            _ if !self.kind.is_garbage_collected => None,
            None => first.or(self.kind.orphans_dependents.then_some(FINALIZER_ORPHAN)),
            Some(Propagation::Background) => None,
            Some(Propagation::Foreground) => Some(FINALIZER_FOREGROUND),
            Some(Propagation::Orphan) => Some(FINALIZER_ORPHAN),
        };
        let own = finalizers.iter().map(String::as_str).filter(|name| !of_collector(name));
        let wanted: Vec<&str> = own.chain(added).collect();
        let same = wanted.len() == finalizers.len()
            && wanted.iter().all(|name| finalizers.iter().any(|finalizer| finalizer == name));
        if !same {
            let wanted: Vec<String> = wanted.into_iter().map(str::to_string).collect();
            object.meta_mut().finalizers = (!wanted.is_empty()).then_some(wanted);
        }
    }

    /// Deletes what a list selects, one object after the other.
    pub(super) fn delete_collection(
        &mut self,
        target: &Target,
        options: &DeleteOptions,
        selected: &ListOptions,
    ) -> Result<List, Status> {
        let list = self.list(target, selected)?;
        for object in &list.items {
            let target = Target {
                identity: target.identity.clone(),
                namespace: object.namespace().to_string(),
                name: object.name().to_string(),
                subresource: target.subresource,
                dry_run: target.dry_run,
            };
            match self.delete(&target, options) {
                Err(status) if !status.is(Reason::NotFound) => return Err(status),
                _ => {}
            }
        }
        Ok(list)
    }
}

fn later(time: &MetaTime, seconds: i64) -> MetaTime {
    MetaTime(time.0.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(time.0))
}

fn count_generation(object: &mut Object) {
    let meta = object.meta_mut();
    if let Some(generation) = meta.generation.filter(|generation| *generation > 0) {
        meta.generation = Some(generation + 1);
    }
}

/// A pod that runs nowhere, or has run, needs no grace, whatever the request asks for.
/// Upstream: pkg/registry/core/pod/strategy.go, CheckGracefulDelete.
fn needs_no_grace(object: &Object) -> bool {
    let Some(pod) = object.get::<Pod>() else { return false };
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    node.is_none_or(str::is_empty) || matches!(phase, Some("Succeeded" | "Failed"))
}
