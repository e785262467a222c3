//! Admission: what may change or refuse a request after it was authorized.
//!
//! One file per plugin and one line in [`chain`], whose order is upstream's.
//! Upstream: pkg/kubeapiserver/options/plugins.go, AllOrderedPlugins.

use std::sync::Arc;

use api::{Key, Kind, KindId, Object, Status};

use crate::{ApiServer, Identity, Snapshot, Subresource, Verb};

mod namespace_lifecycle;

/// What a plugin is told of the request, beside the object.
pub struct Attributes<'a> {
    /// Who asks.
    pub identity: &'a Identity,
    /// The kind of object.
    pub kind: &'static Kind,
    /// The request's namespace.
    pub namespace: &'a str,
    /// The request's name; empty when the object's name is generated.
    pub name: &'a str,
    /// The part of the object.
    pub subresource: Subresource,
    /// What the request does.
    pub verb: Verb,
    /// The object as it is stored, for updates and deletions.
    pub old: Option<&'a Object>,
}

/// What a plugin may read of the cluster: upstream's plugins have informers of their own.
pub struct View<'a> {
    pub(crate) server: &'a ApiServer,
}

impl View<'_> {
    /// An object as it is stored.
    #[must_use]
    pub fn get(&self, kind: KindId, key: &Key) -> Option<Object> {
        self.server.etcd.get(&(kind, key.clone())).map(|kv| kv.value.clone())
    }

    /// All objects of a kind.
    #[must_use]
    pub fn list(&self, kind: KindId) -> Snapshot {
        self.server.snapshot(kind)
    }
}

/// A step of the chain.
pub trait AdmissionPlugin: Send + Sync {
    /// Upstream's name of the plugin.
    fn name(&self) -> &'static str;

    /// May change the object or refuse the request.
    ///
    /// # Errors
    /// The status with which the request is refused.
    fn admit(&self, _: &Attributes<'_>, _: &mut Object, _: &View<'_>) -> Result<(), Status> {
        Ok(())
    }

    /// May refuse the request. There is no object when it deletes.
    ///
    /// # Errors
    /// The status with which the request is refused.
    fn validate(&self, _: &Attributes<'_>, _: Option<&Object>, _: &View<'_>) -> Result<(), Status> {
        Ok(())
    }
}

/// The plugins in the order in which they run.
pub(crate) fn chain() -> Arc<[Arc<dyn AdmissionPlugin>]> {
    Arc::new([Arc::new(namespace_lifecycle::NamespaceLifecycle)])
}
