//! Admission: what may change or refuse a request after it was authorized.
//!
//! One file per plugin and one line in [`chain`], whose order is upstream's.
//! Upstream: pkg/kubeapiserver/options/plugins.go, AllOrderedPlugins.

use std::cell::RefCell;
use std::sync::Arc;

use api::{Key, Kind, KindId, Object, Status};
use jiff::Timestamp;
use sim::{Duration, Stream, Time};

use crate::{ApiServer, Identity, Snapshot, Subresource, Verb, names};

mod default_toleration_seconds;
mod limit_ranger;
mod namespace_lifecycle;
mod node_restriction;
mod priority;
mod resource_quota;
mod service_account;
mod taint_nodes_by_condition;

/// What a plugin is told of the request, beside the object.
pub struct Attributes<'a> {
    /// Who asks.
    pub identity: &'a Identity,
    /// The kind of object.
    pub kind: &'static Kind,
    /// The request's namespace.
    pub namespace: &'a str,
    /// The request's name; empty when it creates.
    pub name: &'a str,
    /// The part of the object.
    pub subresource: Subresource,
    /// What the request does: create, update or delete. A patch updates.
    pub verb: Verb,
    /// The object as it is stored, for updates and deletions.
    pub old: Option<&'a Object>,
    /// Whether everything happens but the write.
    pub dry_run: bool,
}

impl Attributes<'_> {
    /// Whether the request addresses objects of that kind themselves.
    #[must_use]
    pub fn concerns(&self, kind: KindId) -> bool {
        self.kind.id == kind && self.subresource == Subresource::None
    }

    /// The refusal of the request. Upstream: apiserver/pkg/admission/errors.go, NewForbidden.
    #[must_use]
    pub fn forbidden(&self, object: Option<&Object>, error: &str) -> Status {
        let of_object = object.map(|object| {
            let base = object.meta().generate_name.as_deref().unwrap_or_default();
            if object.name().is_empty() { base } else { object.name() }
        });
        let name = match (self.name, of_object) {
            ("", None | Some("")) => "Unknown",
            ("", Some(name)) => name,
            (name, _) => name,
        };
        Status::forbidden(self.kind, name, error)
    }
}

/// What a plugin may read of the cluster: upstream's plugins have informers of their own.
pub struct View<'a> {
    pub(crate) server: &'a ApiServer,
    pub(crate) now: Time,
    pub(crate) names: Stream,
    /// Quotas as they become when the request is let in.
    pub(crate) charges: RefCell<Vec<Object>>,
}

impl View<'_> {
    /// An object as it is stored.
    #[must_use]
    pub fn get(&self, kind: KindId, key: &Key) -> Option<Object> {
        self.server.etcd.get(&(kind, key.clone())).map(|kv| kv.value.clone())
    }

    /// Now, on the calendar.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.server.clock.timestamp(self.now)
    }

    /// Has a quota stored with what the request uses, when nobody refuses it.
    pub fn charge(&self, quota: Object) {
        self.charges.borrow_mut().push(quota);
    }

    /// All objects of a kind.
    #[must_use]
    pub fn list(&self, kind: KindId) -> Snapshot {
        self.server.snapshot(kind)
    }

    /// How long ago an object was created, as precisely as its metadata says.
    #[must_use]
    pub fn age(&self, object: &Object) -> Duration {
        let created = object.meta().creation_timestamp.as_ref();
        created.map_or(Duration::ZERO, |time| self.now.since(self.server.clock.time(time.0)))
    }

    /// A name that begins with `base` and ends at random.
    pub fn generate_name(&mut self, base: &str) -> String {
        names::generate(base, &mut self.names)
    }
}

/// A step of the chain.
pub trait AdmissionPlugin: Send + Sync {
    /// Upstream's name of the plugin.
    fn name(&self) -> &'static str;

    /// May change the object or refuse the request. There is no object when the request deletes
    /// or addresses a subresource that is no object of its kind.
    ///
    /// # Errors
    /// The status with which the request is refused.
    fn admit(
        &self,
        _: &Attributes<'_>,
        _: Option<&mut Object>,
        _: &mut View<'_>,
    ) -> Result<(), Status> {
        Ok(())
    }

    /// May refuse the request. There is no object when [`AdmissionPlugin::admit`] gets none.
    ///
    /// # Errors
    /// The status with which the request is refused.
    fn validate(&self, _: &Attributes<'_>, _: Option<&Object>, _: &View<'_>) -> Result<(), Status> {
        Ok(())
    }
}

/// The plugins in the order in which they run.
pub(crate) fn chain() -> Arc<[Arc<dyn AdmissionPlugin>]> {
    Arc::new([
        Arc::new(namespace_lifecycle::NamespaceLifecycle),
        Arc::new(limit_ranger::LimitRanger),
        Arc::new(service_account::ServiceAccountPlugin),
        Arc::new(node_restriction::NodeRestriction),
        Arc::new(taint_nodes_by_condition::TaintNodesByCondition),
        Arc::new(priority::Priority),
        Arc::new(default_toleration_seconds::DefaultTolerationSeconds),
        Arc::new(resource_quota::ResourceQuotaPlugin),
    ])
}
