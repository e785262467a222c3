//! What each verb does to the store.
//!
//! Upstream: staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go and
//! staging/src/k8s.io/apiserver/pkg/registry/rest/{create,update,delete}.go

use api::openapi::apimachinery::pkg::apis::meta::v1::Time as MetaTime;
use api::{Key, Kind, Object, Status};
use etcd::Expect;
use sim::Time;

use crate::admission::{self, Attributes};
use crate::{ApiServer, Body, Identity, Patch, Request, Response, Subresource, Verb, names};

mod binding;
mod delete;
mod list;

/// How often a generated name that is taken is generated anew.
/// Upstream: registry/generic/registry/store.go, maxNameGenerationCreateAttempts.
const MAX_NAME_GENERATION_ATTEMPTS: u32 = 8;

/// A request that was let in, on its way to the store.
pub(crate) struct Operation<'a> {
    pub(crate) server: &'a mut ApiServer,
    pub(crate) now: Time,
    pub(crate) kind: &'static Kind,
}

/// The parts of a request that every verb but list needs.
pub(crate) struct Target {
    pub(crate) identity: Identity,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) subresource: Subresource,
    pub(crate) dry_run: bool,
}

/// A change to make of the object as it is stored.
type Change<'c> = Box<dyn FnOnce(&Object) -> Result<Object, Status> + 'c>;

impl Operation<'_> {
    pub(crate) fn run(mut self, request: Request) -> Result<Response, Status> {
        let Request { identity, verb, namespace, name, subresource, body, dry_run, .. } = request;
        let target = Target { identity, namespace, name, subresource, dry_run };
        self.check_subresource(&target)?;
        match (verb, body) {
            (Verb::Get, _) => self.get(&target).map(Response::Object),
            (Verb::List, Body::List(options)) => self.list(&target, &options).map(Response::List),
            (Verb::Create, Body::Object(object)) => {
                self.create(&target, object).map(Response::Object)
            }
            (Verb::Create, Body::Binding(binding)) => {
                self.bind(&target, &binding).map(Response::Object)
            }
            (Verb::Update, Body::Object(object)) => {
                self.update(&target, object).map(Response::Object)
            }
            (Verb::Patch, Body::Patch(patch)) => self.patch(&target, patch).map(Response::Object),
            (Verb::Delete, Body::Delete(options)) => {
                self.delete(&target, &options).map(Response::Object)
            }
            (Verb::Delete, Body::None) => {
                self.delete(&target, &crate::DeleteOptions::default()).map(Response::Object)
            }
            (Verb::DeleteCollection, Body::List(options)) => {
                self.delete_collection(&target, &options).map(Response::List)
            }
            _ => Err(Status::bad_request("the body does not fit the request")),
        }
    }

    fn check_subresource(&self, target: &Target) -> Result<(), Status> {
        let word = target.subresource.word();
        if word.is_empty() || self.kind.subresources.contains(&word) {
            return Ok(());
        }
        Err(Status::bad_request("the server could not find the requested resource"))
    }

    fn timestamp(&self) -> MetaTime {
        MetaTime(self.server.clock.timestamp(self.now))
    }

    pub(crate) fn stored(&self, target: &Target) -> Result<(Object, u64), Status> {
        let namespace = if self.kind.is_namespaced() { &*target.namespace } else { "" };
        let key = (self.kind.id, Key::new(namespace, &target.name));
        match self.server.etcd.get(&key) {
            Some(kv) => Ok((kv.value.clone(), kv.mod_revision)),
            None => Err(Status::not_found(self.kind, &target.name)),
        }
    }

    fn get(&self, target: &Target) -> Result<Object, Status> {
        self.stored(target).map(|(object, _)| object)
    }

    fn create(&mut self, target: &Target, mut object: Object) -> Result<Object, Status> {
        self.check_body(target, &object)?;
        let kind = self.kind;
        self.place(target, &mut object)?;
        if object.meta().resource_version.as_deref().is_some_and(|version| !version.is_empty()) {
            let words = "resourceVersion should not be set on objects to be created";
            return Err(Status::bad_request(words));
        }
        (kind.default)(&mut object);
        let generated = self.generate_name(&mut object);
        self.admit(target, Verb::Create, &mut object, None)?;
        self.fill_system_fields(&mut object);
        (kind.prepare_for_create)(&mut object);
        if kind.has_generation {
            object.meta_mut().generation = Some(1);
        }
        let errors = (kind.validate)(&object);
        if !errors.is_empty() {
            return Err(Status::invalid(kind, object.name(), &errors));
        }
        self.validate_admission(target, Verb::Create, &object, None)?;
        self.store_new(target, object, generated)
    }

    /// Stores an object that must not exist. A generated name that is taken is tried anew.
    fn store_new(
        &mut self,
        target: &Target,
        mut object: Object,
        generated: bool,
    ) -> Result<Object, Status> {
        for _ in 1..MAX_NAME_GENERATION_ATTEMPTS {
            let key = (self.kind.id, object.key());
            if !generated || self.server.etcd.get(&key).is_none() {
                break;
            }
            object.meta_mut().name = None;
            self.generate_name(&mut object);
        }
        if self.server.etcd.get(&(self.kind.id, object.key())).is_some() {
            return Err(Status::already_exists(self.kind, object.name()));
        }
        if target.dry_run {
            return Ok(object);
        }
        let name = object.name().to_string();
        self.server
            .commit(self.now, object, Expect::Absent)
            .map_err(|_| Status::already_exists(self.kind, &name))
    }

    /// Generates the name if only its beginning is given.
    fn generate_name(&mut self, object: &mut Object) -> bool {
        let meta = object.meta_mut();
        let base = match (&meta.name, &meta.generate_name) {
            (Some(name), _) if !name.is_empty() => return false,
            (_, Some(base)) if !base.is_empty() => base.clone(),
            _ => return false,
        };
        meta.name = Some(names::generate(&base, &mut self.server.names));
        true
    }

    /// Upstream: registry/rest/meta.go, FillObjectMetaSystemFields.
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
        meta.resource_version = None;
    }

    fn check_body(&self, target: &Target, object: &Object) -> Result<(), Status> {
        if object.kind_id() == self.kind.id && target.subresource != Subresource::Binding {
            return Ok(());
        }
        Err(Status::bad_request("the object provided is unrecognized"))
    }

    /// Gives the object the request's namespace, or refuses one that differs.
    /// Upstream: registry/rest/meta.go, EnsureObjectNamespaceMatchesRequestNamespace.
    fn place(&self, target: &Target, object: &mut Object) -> Result<(), Status> {
        let meta = object.meta_mut();
        if !self.kind.is_namespaced() {
            meta.namespace = None;
            return Ok(());
        }
        match meta.namespace.as_deref() {
            Some(namespace) if namespace == target.namespace => Ok(()),
            None | Some("") => {
                meta.namespace = Some(target.namespace.clone());
                Ok(())
            }
            Some(_) => Err(Status::bad_request(
                "the namespace of the provided object does not match the namespace sent on the \
                 request",
            )),
        }
    }

    fn update(&mut self, target: &Target, object: Object) -> Result<Object, Status> {
        self.check_body(target, &object)?;
        if object.name() != target.name {
            return Err(Status::bad_request(format!(
                "the name of the object ({}) does not match the name on the URL ({})",
                object.name(),
                target.name
            )));
        }
        self.change(target, Verb::Update, Box::new(move |_| Ok(object)))
    }

    fn patch(&mut self, target: &Target, patch: Patch) -> Result<Object, Status> {
        let kind = self.kind;
        self.change(target, Verb::Patch, Box::new(move |current| patched(kind, current, patch)))
    }

    /// Replaces the stored object by what `change` makes of it.
    fn change(
        &mut self,
        target: &Target,
        verb: Verb,
        change: Change<'_>,
    ) -> Result<Object, Status> {
        let kind = self.kind;
        let (old, revision) = self.stored(target)?;
        let mut new = change(&old)?;
        self.place(target, &mut new)?;
        self.check_version(&new, &old)?;
        (kind.default)(&mut new);
        self.keep_system_fields(&mut new, &old);
        let status = target.subresource == Subresource::Status;
        if status {
            (kind.prepare_for_status_update)(&mut new, &old);
        } else if target.subresource != Subresource::Finalize {
            (kind.prepare_for_update)(&mut new, &old);
        }
        if kind.has_generation && !status && (kind.spec_changed)(&new, &old) {
            new.meta_mut().generation = Some(old.meta().generation.unwrap_or(0) + 1);
        }
        self.admit(target, verb, &mut new, Some(&old))?;
        let validate = if status { kind.validate_status_update } else { kind.validate_update };
        let errors = validate(&new, &old);
        if !errors.is_empty() {
            return Err(Status::invalid(kind, &target.name, &errors));
        }
        self.validate_admission(target, verb, &new, Some(&old))?;
        self.store_changed(target, new, (&old, revision))
    }

    /// Stores the changed object, unless nothing changed, or takes it out of the store when the
    /// change removed the last thing that held a deleted object.
    fn store_changed(
        &mut self,
        target: &Target,
        new: Object,
        (old, revision): (&Object, u64),
    ) -> Result<Object, Status> {
        if target.dry_run || new == *old {
            return Ok(new);
        }
        if delete::is_finished(&new) {
            self.server.remove(self.now, &new, revision);
            return Ok(new);
        }
        self.server
            .commit(self.now, new, Expect::Revision(revision))
            .map_err(|_| Status::modified(self.kind, &target.name))
    }

    fn check_version(&self, new: &Object, old: &Object) -> Result<(), Status> {
        let (new_meta, old_meta) = (new.meta(), old.meta());
        if let Some(uid) = new_meta.uid.as_deref().filter(|uid| !uid.is_empty())
            && uid != old.uid()
        {
            let error = format!(
                "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
                old.uid()
            );
            return Err(Status::conflict(self.kind, old.name(), &error));
        }
        match new_meta.resource_version.as_deref() {
            None | Some("" | "0") => Ok(()),
            version if version == old_meta.resource_version.as_deref() => Ok(()),
            Some(_) => Err(Status::modified(self.kind, old.name())),
        }
    }

    /// Upstream: registry/rest/update.go, BeforeUpdate.
    fn keep_system_fields(&self, new: &mut Object, old: &Object) {
        let old = old.meta();
        let meta = new.meta_mut();
        meta.uid.clone_from(&old.uid);
        meta.creation_timestamp.clone_from(&old.creation_timestamp);
        meta.deletion_timestamp.clone_from(&old.deletion_timestamp);
        meta.deletion_grace_period_seconds = old.deletion_grace_period_seconds;
        meta.generation = old.generation;
        meta.self_link.clone_from(&old.self_link);
        meta.resource_version.clone_from(&old.resource_version);
    }

    pub(crate) fn admit(
        &mut self,
        target: &Target,
        verb: Verb,
        object: &mut Object,
        old: Option<&Object>,
    ) -> Result<(), Status> {
        let attributes = attributes(self.kind, target, verb, old);
        let chain = self.server.admission.clone();
        let view = admission::View { server: self.server };
        chain.iter().try_for_each(|plugin| plugin.admit(&attributes, object, &view))
    }

    pub(crate) fn validate_admission(
        &self,
        target: &Target,
        verb: Verb,
        object: &Object,
        old: Option<&Object>,
    ) -> Result<(), Status> {
        let attributes = attributes(self.kind, target, verb, old);
        let view = admission::View { server: self.server };
        let mut chain = self.server.admission.iter();
        chain.try_for_each(|plugin| plugin.validate(&attributes, Some(object), &view))
    }
}

pub(crate) fn attributes<'t>(
    kind: &'static Kind,
    target: &'t Target,
    verb: Verb,
    old: Option<&'t Object>,
) -> Attributes<'t> {
    Attributes {
        identity: &target.identity,
        kind,
        namespace: &target.namespace,
        name: &target.name,
        subresource: target.subresource,
        verb,
        old,
    }
}

fn patched(_kind: &Kind, current: &Object, patch: Patch) -> Result<Object, Status> {
    match patch {
        Patch::Change(change) => {
            let mut object = current.clone();
            change(&mut object);
            Ok(object)
        }
        _ => Err(Status::bad_request("the body of the request was in an unknown format")),
    }
}
