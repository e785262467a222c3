//! Creating. Upstream: registry/generic/registry/store.go, Create, and registry/rest/create.go.

use api::{Object, Status};
use etcd::Expect;

use super::{Operation, Target};
use crate::{Verb, names};

/// How often a generated name that is taken is generated anew.
/// Upstream: registry/generic/registry/store.go, maxNameGenerationCreateAttempts.
const MAX_NAME_GENERATION_ATTEMPTS: u32 = 8;

impl Operation<'_> {
    pub(super) fn create(&mut self, target: &Target, mut object: Object) -> Result<Object, Status> {
        self.check_body(&object)?;
        self.place(target, &mut object)?;
        (object.behaviour().default)(&mut object);
        let attributes = self.attributes(target, Verb::Create, None);
        self.admit(&attributes, Some(&mut object))?;
        let is_generated = needs_name(&object);
        if is_generated {
            self.generate_name(&mut object);
        }
        self.create_named(target, object, is_generated)
    }

    /// Generates a name, anew as long as it is taken.
    fn generate_name(&mut self, object: &mut Object) {
        for _ in 0..MAX_NAME_GENERATION_ATTEMPTS {
            let meta = object.meta_mut();
            let base = meta.generate_name.as_deref().unwrap_or_default();
            meta.name = Some(names::generate(base, &mut self.server.names));
            if self.server.etcd.get(&(self.kind.id, object.key())).is_none() {
                return;
            }
        }
    }

    fn create_named(
        &mut self,
        target: &Target,
        mut object: Object,
        is_generated: bool,
    ) -> Result<Object, Status> {
        let kind = self.kind;
        self.fill_system_fields(&mut object);
        self.server.services.create(&mut object, target.dry_run)?;
        (object.behaviour().prepare_for_create)(&mut object);
        if kind.has_generation {
            object.meta_mut().generation = Some(1);
        }
        let errors = (object.behaviour().validate)(&object);
        if !errors.is_empty() {
            return Err(Status::invalid(kind, object.name(), &errors));
        }
        let attributes = self.attributes(target, Verb::Create, None);
        self.validate_admission(&attributes, Some(&object))?;
        if object.meta().resource_version.as_deref().is_some_and(|version| !version.is_empty()) {
            let words = "resourceVersion should not be set on objects to be created";
            return Err(Status::unknown(words));
        }
        if let Some(existing) = self.server.etcd.get(&(kind.id, object.key())) {
            return Err(self.taken(&object, is_generated, &existing.value));
        }
        if target.dry_run {
            return Ok(object);
        }
        let name = object.name().to_string();
        self.server
            .commit(self.now, object, Expect::Absent)
            .map_err(|_| Status::already_exists(kind, &name))
    }

    fn taken(&self, object: &Object, is_generated: bool, existing: &Object) -> Status {
        let status = if is_generated {
            Status::generate_name_conflict(self.kind, object.name())
        } else {
            Status::already_exists(self.kind, object.name())
        };
        if existing.meta().deletion_timestamp.is_some() {
            return status.prefixed("object is being deleted: ");
        }
        status
    }

    /// Upstream: registry/rest/meta.go, FillObjectMetaSystemFields, and BeforeCreate.
    fn fill_system_fields(&mut self, object: &mut Object) {
        let timestamp = self.timestamp();
        let uid = names::uid(&mut self.server.uids);
        let meta = object.meta_mut();
        meta.creation_timestamp = Some(timestamp);
        meta.uid = Some(uid);
        meta.self_link = None;
        meta.deletion_timestamp = None;
        meta.deletion_grace_period_seconds = None;
        meta.generation = None;
    }

    pub(super) fn check_body(&self, object: &Object) -> Result<(), Status> {
        if object.kind_id() == self.kind.id {
            return Ok(());
        }
        // Upstream: endpoints/handlers/create.go, transformDecodeError.
        let words = format!(
            "{} in version {:?} cannot be handled as a {}",
            object.kind().kind,
            object.kind().version,
            self.kind.kind
        );
        Err(Status::bad_request(words))
    }

    /// Gives the object the request's namespace, or refuses one that differs.
    /// Upstream: registry/rest/meta.go, EnsureObjectNamespaceMatchesRequestNamespace.
    pub(super) fn place(&self, target: &Target, object: &mut Object) -> Result<(), Status> {
        let namespace = object.meta().namespace.as_deref().unwrap_or_default();
        if !self.kind.is_namespaced() {
            if !namespace.is_empty() || object.meta().namespace.is_some() {
                object.meta_mut().namespace = None;
            }
            return Ok(());
        }
        if namespace == target.namespace {
            return Ok(());
        }
        if namespace.is_empty() {
            object.meta_mut().namespace = Some(target.namespace.clone());
            return Ok(());
        }
        Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ))
    }
}

fn needs_name(object: &Object) -> bool {
    let has_base = object.meta().generate_name.as_deref().is_some_and(|base| !base.is_empty());
    object.name().is_empty() && has_base
}
