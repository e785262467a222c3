//! What each verb does to the store.
//!
//! Upstream: staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go and
//! staging/src/k8s.io/apiserver/pkg/endpoints/handlers

pub use patch::DocumentPatch;

use std::cell::RefCell;

use api::openapi::apimachinery::pkg::apis::meta::v1::Time as MetaTime;
use api::{Key, Kind, Object, Status};
use etcd::Expect;
use sim::Time;

use crate::admission::{Attributes, View};
use crate::{
    ApiServer, Body, DeleteOptions, Identity, ListOptions, Request, Response, Subresource, Verb,
};

mod binding;
mod continue_token;
mod create;
mod delete;
mod eviction;
mod list;
mod meta;
mod patch;
mod scale;
mod update;

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
        let namespace = if self.kind.is_namespaced() { namespace } else { String::new() };
        let target = Target { identity, namespace, name, subresource, dry_run };
        self.check_subresource(&target)?;
        if subresource == Subresource::Scale {
            return self.scale(&target, verb, body).map(Box::new).map(Response::Scale);
        }
        match (verb, body) {
            (Verb::Get, _) => self.stored(&target).map(|(object, _)| Response::Object(object)),
            (Verb::List, Body::List(options)) => self.list(&target, &options).map(Response::List),
            (Verb::List, Body::None) => {
                self.list(&target, &ListOptions::default()).map(Response::List)
            }
            (Verb::Create, Body::Object(object)) => {
                self.create(&target, object).map(Response::Object)
            }
            (Verb::Create, Body::Binding(binding)) => {
                self.bind(&target, &binding).map(Response::Object)
            }
            (Verb::Create, Body::Eviction(options)) => {
                self.evict(&target, options).map(|()| Response::Success)
            }
            (Verb::Update, Body::Object(object)) => {
                self.update(&target, object).map(Response::Object)
            }
            (Verb::Patch, Body::Patch(patch)) => self.patch(&target, patch).map(Response::Object),
            (Verb::Delete, Body::Delete(options)) => self.delete(&target, &options),
            (Verb::Delete, Body::None) => self.delete(&target, &DeleteOptions::default()),
            (Verb::DeleteCollection, Body::DeleteCollection(options, selected)) => {
                self.delete_collection(&target, &options, &selected).map(Response::List)
            }
            (Verb::DeleteCollection, Body::List(selected)) => {
                let options = DeleteOptions::default();
                self.delete_collection(&target, &options, &selected).map(Response::List)
            }
            _ => Err(Status::bad_request("the body does not fit the request")),
        }
    }

    fn check_subresource(&self, target: &Target) -> Result<(), Status> {
        let word = target.subresource.word();
        if word.is_empty() || self.kind.subresources.contains(&word) {
            return Ok(());
        }
        Err(Status::no_such_resource())
    }

    fn timestamp(&self) -> MetaTime {
        MetaTime(self.server.clock.timestamp(self.now))
    }

    /// The object that the request names, and the revision of its last change.
    fn stored(&self, target: &Target) -> Result<(Object, u64), Status> {
        let key = (self.kind.id, Key::new(&target.namespace, &target.name));
        match self.server.etcd.get(&key) {
            Some(kv) => Ok((kv.value.clone(), kv.mod_revision)),
            None => Err(Status::not_found(self.kind, &target.name)),
        }
    }

    fn view(&self) -> View<'_> {
        let (names, charges) = (self.server.names.clone(), RefCell::default());
        View { server: self.server, now: self.now, names, charges }
    }

    /// Lets every admission plugin change the object. There is none when the request deletes or
    /// addresses a subresource that is no object of the kind.
    fn admit(
        &mut self,
        attributes: &Attributes<'_>,
        mut object: Option<&mut Object>,
    ) -> Result<(), Status> {
        let mut view = self.view();
        for plugin in self.server.admission.iter() {
            plugin.admit(attributes, object.as_deref_mut(), &mut view)?;
        }
        let names = view.names;
        self.server.names = names;
        Ok(())
    }

    /// Asks every admission plugin about the object as it would be stored, and charges the quotas
    /// that it counts against.
    fn validate_admission(
        &mut self,
        attributes: &Attributes<'_>,
        object: Option<&Object>,
    ) -> Result<(), Status> {
        let view = self.view();
        let mut chain = self.server.admission.iter();
        chain.try_for_each(|plugin| plugin.validate(attributes, object, &view))?;
        let charges = view.charges.into_inner();
        for quota in charges.into_iter().filter(|_| !attributes.dry_run) {
            let version = quota.meta().resource_version.as_deref();
            let revision = version.and_then(|version| version.parse().ok()).unwrap_or(0);
            let (kind, name) = (quota.kind(), quota.name().to_string());
            self.server
                .commit(self.now, quota, Expect::Revision(revision))
                .map_err(|_| Status::modified(kind, &name))?;
        }
        Ok(())
    }

    fn attributes<'t>(
        &self,
        target: &'t Target,
        verb: Verb,
        old: Option<&'t Object>,
    ) -> Attributes<'t> {
        Attributes {
            identity: &target.identity,
            kind: self.kind,
            namespace: &target.namespace,
            name: &target.name,
            subresource: target.subresource,
            verb,
            old,
            dry_run: target.dry_run,
        }
    }
}
