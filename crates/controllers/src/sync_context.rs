//! What a controller is given while it reconciles a key: requests under its own identity, the
//! informers, and a recorder of Events.

use std::sync::Arc;

use api::openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time as MetaTime};
use api::{Key, KindId, Kinded, Object, Status};
use apiserver::{Body, DeleteOptions, Identity, Propagation, Request, Response, Subresource, Verb};
use client::{Api, Context, EventRecorder, EventType, object_reference};
use jiff::Timestamp;
use sim::{Duration, SmallMap, Time};

use crate::SharedInformers;

/// What a controller is given while it reconciles a key.
pub struct SyncContext<'s, 'c> {
    pub(crate) cx: &'s mut Context<'c>,
    /// What is known of the cluster.
    pub informers: &'s SharedInformers,
    pub(crate) identity: &'s Identity,
    pub(crate) recorder: &'s mut EventRecorder,
    /// The revisions of this key's writes, by the kind that was written.
    pub(crate) writes: SmallMap<KindId, u64>,
    /// Other keys to reconcile, and when.
    pub(crate) also: Vec<(Key, Time)>,
}

impl SyncContext<'_, '_> {
    /// The virtual instant.
    #[must_use]
    pub fn now(&self) -> Time {
        self.cx.now
    }

    /// Now, as `metav1.Time`: whole seconds.
    #[must_use]
    pub fn timestamp(&self) -> MetaTime {
        self.cx.timestamp()
    }

    /// Now, on the calendar, to the microsecond.
    #[must_use]
    pub fn now_on_calendar(&self) -> Timestamp {
        self.cx.clock.micro_timestamp(self.cx.now)
    }

    /// The virtual instant of a calendar time.
    #[must_use]
    pub fn instant_of(&self, timestamp: Timestamp) -> Time {
        self.cx.clock.time(timestamp)
    }

    /// How long it is until a calendar time; nothing when it has passed.
    #[must_use]
    pub fn until(&self, timestamp: Timestamp) -> Duration {
        self.cx.clock.time(timestamp).since(self.cx.now)
    }

    /// How long ago a calendar time was.
    #[must_use]
    pub fn since(&self, timestamp: Timestamp) -> Duration {
        self.cx.now.since(self.cx.clock.time(timestamp))
    }

    /// Adds another key of the same controller.
    pub fn enqueue_after(&mut self, key: Key, delay: Duration) {
        self.also.push((key, self.cx.now + delay));
    }

    /// Reads an object as it is stored: for the few decisions that no cache may take.
    ///
    /// # Errors
    /// The API server's answer, when it refuses.
    pub fn get_live<T: Kinded>(&mut self, key: &Key) -> Result<Arc<T>, Status> {
        self.cx.api::<T>(self.identity, &key.namespace).get(&key.name)
    }

    /// Makes an object.
    ///
    /// # Errors
    /// The API server's answer, when it refuses.
    pub fn create<T: Kinded>(&mut self, namespace: &str, object: T) -> Result<Arc<T>, Status> {
        self.write(namespace, |api| api.create(object))
    }

    /// Replaces an object.
    ///
    /// # Errors
    /// The API server's answer, when it refuses.
    pub fn update<T: Kinded>(&mut self, object: T) -> Result<Arc<T>, Status> {
        self.update_subresource(Subresource::None, object)
    }

    /// Replaces an object's status.
    ///
    /// # Errors
    /// The API server's answer, when it refuses.
    pub fn update_status<T: Kinded>(&mut self, object: T) -> Result<Arc<T>, Status> {
        self.update_subresource(Subresource::Status, object)
    }

    /// Replaces the part of an object that the subresource addresses.
    ///
    /// # Errors
    /// The API server's answer, when it refuses.
    pub fn update_subresource<T: Kinded>(
        &mut self,
        subresource: Subresource,
        object: T,
    ) -> Result<Arc<T>, Status> {
        let namespace = object.metadata().namespace.clone().unwrap_or_default();
        self.write(&namespace, |api| api.update_subresource(subresource, object))
    }

    /// Changes parts of an object as it is stored.
    ///
    /// # Errors
    /// The API server's answer, when it refuses.
    pub fn patch<T: Kinded>(
        &mut self,
        key: &Key,
        change: impl FnOnce(&mut T) + 'static,
    ) -> Result<Arc<T>, Status> {
        self.write(&key.namespace, |api| api.patch(&key.name, change))
    }

    /// Changes parts of an object's status as it is stored.
    ///
    /// # Errors
    /// The API server's answer, when it refuses.
    pub fn patch_status<T: Kinded>(
        &mut self,
        key: &Key,
        change: impl FnOnce(&mut T) + 'static,
    ) -> Result<Arc<T>, Status> {
        self.write(&key.namespace, |api| api.patch_status(&key.name, change))
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// The API server's answer, when it refuses.
    pub fn delete<T: Kinded>(&mut self, key: &Key, options: DeleteOptions) -> Result<(), Status> {
        let before = self.cx.server.revision();
        let answer = self.cx.api::<T>(self.identity, &key.namespace).delete(&key.name, options);
        self.note_deletion(T::ID, before);
        answer.map(|_| ())
    }

    fn write<T: Kinded>(
        &mut self,
        namespace: &str,
        run: impl FnOnce(&mut Api<'_, T>) -> Result<Arc<T>, Status>,
    ) -> Result<Arc<T>, Status> {
        let before = self.cx.server.revision();
        let answer = run(&mut self.cx.api::<T>(self.identity, namespace))?;
        self.note_write(T::ID, before, answer.metadata());
        Ok(answer)
    }

    /// Runs a request on an object whose kind is known at run time only.
    ///
    /// # Errors
    /// The API server's answer, when it refuses.
    pub fn request(
        &mut self,
        verb: Verb,
        (kind, key): (KindId, &Key),
        subresource: Subresource,
        body: Body,
    ) -> Result<Object, Status> {
        let before = self.cx.server.revision();
        let request = Request {
            identity: self.identity.clone(),
            verb,
            kind,
            namespace: key.namespace.to_string(),
            name: key.name.to_string(),
            subresource,
            body,
            dry_run: false,
        };
        match self.cx.request(request)? {
            Response::Object(object) => {
                self.note_write(kind, before, object.meta());
                Ok(object)
            }
            Response::Deleted(object) => {
                self.note_deletion(kind, before);
                Ok(object)
            }
            _ => Err(Status::internal("the answer is no object")),
        }
    }

    /// Lists the objects of a kind in a namespace as they are stored.
    ///
    /// # Errors
    /// The API server's answer, when it refuses.
    pub fn list_live(&mut self, kind: KindId, namespace: &str) -> Result<Vec<Object>, Status> {
        let request = Request {
            identity: self.identity.clone(),
            verb: Verb::List,
            kind,
            namespace: namespace.to_string(),
            name: String::new(),
            subresource: Subresource::None,
            body: Body::List(apiserver::ListOptions::default()),
            dry_run: false,
        };
        match self.cx.request(request)? {
            Response::List(list) => Ok(list.items),
            _ => Err(Status::internal("the answer is no list")),
        }
    }

    /// Deletes all objects of a kind in a namespace; their dependents follow on their own.
    ///
    /// # Errors
    /// The API server's answer, when it refuses.
    pub fn delete_collection(&mut self, kind: KindId, namespace: &str) -> Result<(), Status> {
        let options = DeleteOptions {
            propagation: Some(Propagation::Background),
            ..DeleteOptions::default()
        };
        let request = Request {
            identity: self.identity.clone(),
            verb: Verb::DeleteCollection,
            kind,
            namespace: namespace.to_string(),
            name: String::new(),
            subresource: Subresource::None,
            body: Body::DeleteCollection(options, apiserver::ListOptions::default()),
            dry_run: false,
        };
        let before = self.cx.server.revision();
        let answer = self.cx.request(request);
        self.note_deletion(kind, before);
        answer.map(|_| ())
    }

    /// Remembers the version that a write gave its object. One that changed nothing made no
    /// version to wait for.
    fn note_write(&mut self, kind: KindId, before: u64, written: &ObjectMeta) {
        let version = written.resource_version.as_deref().and_then(|text| text.parse().ok());
        if let Some(version) = version {
            self.wait_for(kind, before, version);
        }
    }

    /// Remembers the revision that a deletion made: what is gone does not carry it.
    fn note_deletion(&mut self, kind: KindId, before: u64) {
        let revision = self.cx.server.revision();
        self.wait_for(kind, before, revision);
    }

    /// The key waits until the informers have seen that revision; of a kind that they do not
    /// follow they never would.
    fn wait_for(&mut self, kind: KindId, before: u64, revision: u64) {
        if revision > before && self.informers.follow(kind) {
            self.writes.insert(kind, revision);
        }
    }

    /// Records an Event about an object.
    pub fn event<T: Kinded>(
        &mut self,
        about: &T,
        event_type: EventType,
        reason: &str,
        message: &str,
    ) {
        self.recorder.event(self.cx, &object_reference(about), event_type, reason, message);
    }

    /// Records an Event about what a reference names.
    pub fn event_about(
        &mut self,
        about: &api::openapi::api::core::v1::ObjectReference,
        event_type: EventType,
        reason: &str,
        message: &str,
    ) {
        self.recorder.event(self.cx, about, event_type, reason, message);
    }
}
