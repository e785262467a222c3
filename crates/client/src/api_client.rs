//! Typed requests for one kind, under one identity.

use std::marker::PhantomData;
use std::sync::Arc;

use api::{Kinded, Object, Status};
use apiserver::{
    ApiServer, Binding, Body, DeleteOptions, Identity, ListOptions, Patch, Request, Response,
    Subresource, Verb,
};
use sim::Time;
use trace::Trace;

/// Requests for one kind in one namespace. Upstream: client-go's typed clients.
pub struct Api<'c, T> {
    server: &'c mut ApiServer,
    trace: &'c mut Trace,
    now: Time,
    identity: Identity,
    namespace: String,
    kind: PhantomData<T>,
}

impl<'c, T: Kinded> Api<'c, T> {
    pub(crate) fn new(
        server: &'c mut ApiServer,
        trace: &'c mut Trace,
        now: Time,
        identity: Identity,
        namespace: &str,
    ) -> Self {
        let namespace = namespace.to_string();
        Api { server, trace, now, identity, namespace, kind: PhantomData }
    }

    fn request(
        &mut self,
        verb: Verb,
        name: &str,
        subresource: Subresource,
        body: Body,
    ) -> Result<Response, Status> {
        let request = Request {
            identity: self.identity.clone(),
            verb,
            kind: T::ID,
            namespace: self.namespace.clone(),
            name: name.to_string(),
            subresource,
            body,
            dry_run: false,
        };
        self.server.handle(self.now, self.trace, request)
    }

    fn object(
        &mut self,
        verb: Verb,
        name: &str,
        subresource: Subresource,
        body: Body,
    ) -> Result<Arc<T>, Status> {
        match self.request(verb, name, subresource, body)? {
            Response::Object(object) | Response::Deleted(object) => {
                object.typed().ok_or_else(|| Status::internal("the answer is of another kind"))
            }
            Response::List(_) => Err(Status::internal("the answer is a list")),
            Response::Scale(_) => Err(Status::internal("the answer is a scale")),
            Response::Success => Err(Status::internal("the answer is no object")),
        }
    }

    /// Reads one object.
    ///
    /// # Errors
    /// The API server's answer, when it refuses.
    pub fn get(&mut self, name: &str) -> Result<Arc<T>, Status> {
        self.object(Verb::Get, name, Subresource::None, Body::None)
    }

    /// Reads a collection.
    ///
    /// # Errors
    /// The API server's answer, when it refuses.
    pub fn list(&mut self, options: ListOptions) -> Result<Vec<Arc<T>>, Status> {
        match self.request(Verb::List, "", Subresource::None, Body::List(options))? {
            Response::List(list) => Ok(list.items.iter().filter_map(Object::typed).collect()),
            _ => Err(Status::internal("the answer is no list")),
        }
    }

    /// Makes an object.
    ///
    /// # Errors
    /// The API server's answer, when it refuses.
    pub fn create(&mut self, object: T) -> Result<Arc<T>, Status> {
        self.object(Verb::Create, "", Subresource::None, Body::Object(Object::new(object)))
    }

    /// Replaces an object; its `resourceVersion` must be the stored one, or empty.
    ///
    /// # Errors
    /// The API server's answer, when it refuses.
    pub fn update(&mut self, object: T) -> Result<Arc<T>, Status> {
        self.update_subresource(Subresource::None, object)
    }

    /// Replaces an object's status; its `resourceVersion` must be the stored one, or empty.
    ///
    /// # Errors
    /// The API server's answer, when it refuses.
    pub fn update_status(&mut self, object: T) -> Result<Arc<T>, Status> {
        self.update_subresource(Subresource::Status, object)
    }

    /// Replaces the part of an object that the subresource addresses.
    ///
    /// # Errors
    /// The API server's answer, when it refuses.
    pub fn update_subresource(
        &mut self,
        subresource: Subresource,
        object: T,
    ) -> Result<Arc<T>, Status> {
        let name = object.metadata().name.clone().unwrap_or_default();
        self.object(Verb::Update, &name, subresource, Body::Object(Object::new(object)))
    }

    /// Changes parts of an object as it is stored, whatever its version: what a client outside
    /// the engine sends as a patch.
    ///
    /// # Errors
    /// The API server's answer, when it refuses.
    pub fn patch(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut T) + 'static,
    ) -> Result<Arc<T>, Status> {
        self.patch_subresource(Subresource::None, name, change)
    }

    /// Changes parts of an object's status as it is stored, whatever its version.
    ///
    /// # Errors
    /// The API server's answer, when it refuses.
    pub fn patch_status(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut T) + 'static,
    ) -> Result<Arc<T>, Status> {
        self.patch_subresource(Subresource::Status, name, change)
    }

    fn patch_subresource(
        &mut self,
        subresource: Subresource,
        name: &str,
        change: impl FnOnce(&mut T) + 'static,
    ) -> Result<Arc<T>, Status> {
        let change = Patch::Change(Box::new(move |object: &mut Object| {
            if let Some(typed) = object.get_mut::<T>() {
                change(typed);
            }
        }));
        self.object(Verb::Patch, name, subresource, Body::Patch(change))
    }

    /// Deletes an object. The answer is the object as it was left: gone, or marked.
    ///
    /// # Errors
    /// The API server's answer, when it refuses.
    pub fn delete(&mut self, name: &str, options: DeleteOptions) -> Result<Arc<T>, Status> {
        self.object(Verb::Delete, name, Subresource::None, Body::Delete(options))
    }

    /// Evicts a pod, as far as its disruption budget allows it.
    ///
    /// # Errors
    /// The API server's answer, when it refuses: 429 while the budget does not allow it.
    pub fn evict(&mut self, name: &str, options: DeleteOptions) -> Result<(), Status> {
        let body = Body::Eviction(options);
        self.request(Verb::Create, name, Subresource::Eviction, body).map(|_| ())
    }

    /// Binds a pod to a node.
    ///
    /// # Errors
    /// The API server's answer, when it refuses.
    pub fn bind(&mut self, name: &str, binding: Binding) -> Result<Arc<T>, Status> {
        self.object(Verb::Create, name, Subresource::Binding, Body::Binding(binding))
    }
}
