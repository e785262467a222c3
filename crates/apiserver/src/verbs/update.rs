//! Changing what is stored. Upstream: registry/generic/registry/store.go, Update, and
//! registry/rest/update.go.

use api::field::{Error, Path};
use api::openapi::api::core::v1::Namespace;
use api::{Object, Status};
use etcd::Expect;

use super::{Change, Operation, Target, delete, meta};
use crate::{Subresource, Verb};

impl Operation<'_> {
    pub(super) fn update(&mut self, target: &Target, object: Object) -> Result<Object, Status> {
        self.check_body(&object)?;
        self.check_name(target, &object)?;
        let (old, _) = self.stored(target)?;
        self.check_uid(&object, &old)?;
        self.change(target, Box::new(move |_| Ok(object)))
    }

    /// Upstream: endpoints/handlers/rest.go, checkName.
    fn check_name(&self, target: &Target, object: &Object) -> Result<(), Status> {
        match object.name() {
            name if name == target.name => Ok(()),
            "" => Err(Status::bad_request("name must be provided")),
            name => Err(Status::bad_request(format!(
                "the name of the object ({name}) does not match the name on the URL ({})",
                target.name
            ))),
        }
    }

    /// An update that names a UID is meant for that object only.
    /// Upstream: apiserver/pkg/storage/interfaces.go, Preconditions.Check.
    pub(super) fn check_uid(&self, new: &Object, old: &Object) -> Result<(), Status> {
        if new.uid().is_empty() || new.uid() == old.uid() {
            return Ok(());
        }
        let (wanted, found) = (new.uid(), old.uid());
        let error = format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{}/{}, ResourceVersion: 0, \
             AdditionalErrorMsg: Precondition failed: UID in precondition: {wanted}, UID in \
             object meta: {found}",
            storage_prefix(self.kind.plural),
            old.key()
        );
        Err(Status::conflict(self.kind, old.name(), &error))
    }

    /// Replaces the stored object by what `change` makes of it.
    pub(super) fn change(&mut self, target: &Target, change: Change<'_>) -> Result<Object, Status> {
        let kind = self.kind;
        let (old, revision) = self.stored(target)?;
        let mut new = change(&old)?;
        self.check_body(&new)?;
        self.check_name(target, &new)?;
        self.place(target, &mut new)?;
        (new.behaviour().default)(&mut new);
        let attributes = self.attributes(target, Verb::Update, Some(&old));
        self.admit(&attributes, Some(&mut new))?;
        self.check_version(&mut new, &old)?;
        if target.subresource == Subresource::None {
            self.server.services.update(&mut new, &old, target.dry_run)?;
        }
        self.prepare(target, &mut new, &old);
        let mut errors = meta::validate_update(&new, &old);
        let of_kind = match target.subresource {
            Subresource::Status => new.behaviour().validate_status_update,
            _ => new.behaviour().validate_update,
        };
        for error in of_kind(&new, &old) {
            if !errors.contains(&error) {
                errors.push(error);
            }
        }
        if !errors.is_empty() {
            return Err(Status::invalid(kind, &target.name, &errors));
        }
        self.validate_admission(&attributes, Some(&new))?;
        self.store_changed(target, new, (&old, revision))
    }

    /// Checks that the change was made to the stored version, or that it need not be.
    fn check_version(&self, new: &mut Object, old: &Object) -> Result<(), Status> {
        let stored = &old.meta().resource_version;
        match new.meta().resource_version.as_deref() {
            version if version == stored.as_deref() => Ok(()),
            None | Some("" | "0") if self.kind.allows_unconditional_update => {
                new.meta_mut().resource_version.clone_from(stored);
                Ok(())
            }
            None | Some("" | "0") => {
                let path = Path::new("metadata").child("resourceVersion");
                let error = Error::invalid(&path, 0, "must be specified for an update");
                let (group, resource) = (self.kind.group, self.kind.plural);
                Err(Status::invalid_as(group, resource, old.name(), &vec![error]))
            }
            Some(_) => Err(Status::modified(self.kind, old.name())),
        }
    }

    /// Keeps what an update cannot change, and counts the generation.
    /// Upstream: registry/rest/update.go, BeforeUpdate.
    fn prepare(&self, target: &Target, new: &mut Object, old: &Object) {
        let kind = self.kind;
        new.meta_mut().generation = old.meta().generation;
        match target.subresource {
            Subresource::Status => (new.behaviour().prepare_for_status_update)(new, old),
            Subresource::Finalize => keep_namespace_status(new, old),
            _ => {
                (new.behaviour().prepare_for_update)(new, old);
                if kind.has_generation && (new.behaviour().spec_changed)(new, old) {
                    new.meta_mut().generation = Some(old.meta().generation.unwrap_or(0) + 1);
                }
            }
        }
        let (meta, old) = (new.meta_mut(), old.meta());
        if meta.uid.as_deref().is_none_or(str::is_empty) {
            meta.uid.clone_from(&old.uid);
        }
        meta.creation_timestamp.clone_from(&old.creation_timestamp);
        if old.deletion_timestamp.is_some() {
            meta.deletion_timestamp.clone_from(&old.deletion_timestamp);
        }
        if meta.deletion_grace_period_seconds.is_none() {
            meta.deletion_grace_period_seconds = old.deletion_grace_period_seconds;
        }
        meta.self_link = None;
    }

    /// Stores the changed object, unless nothing changed, or takes it out of the store when the
    /// change removed the last thing that held a deleted object.
    fn store_changed(
        &mut self,
        target: &Target,
        new: Object,
        (old, revision): (&Object, u64),
    ) -> Result<Object, Status> {
        if target.dry_run {
            return Ok(new);
        }
        if delete::is_finished(&new) {
            self.server.remove(self.now, old, revision);
            return Ok(new);
        }
        if new == *old {
            return Ok(old.clone());
        }
        self.server
            .commit(self.now, new, Expect::Revision(revision))
            .map_err(|_| Status::modified(self.kind, &target.name))
    }
}

/// Upstream: pkg/registry/core/namespace/strategy.go, namespaceFinalizeStrategy
fn keep_namespace_status(new: &mut Object, old: &Object) {
    if let (Some(new), Some(old)) = (new.get_mut::<Namespace>(), old.get::<Namespace>()) {
        new.status.clone_from(&old.status);
    }
}

/// Where upstream keeps a resource below `/registry`, which one error message shows.
/// Upstream: pkg/kubeapiserver/default_storage_factory_builder.go, SpecialDefaultResourcePrefixes
fn storage_prefix(plural: &str) -> &str {
    match plural {
        "nodes" => "minions",
        "services" => "services/specs",
        "endpoints" => "services/endpoints",
        "replicationcontrollers" => "controllers",
        other => other,
    }
}
