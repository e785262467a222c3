//! What the scheduler knows of kinds other than pods and nodes.
//!
//! Upstream: pkg/scheduler/framework/plugins/helper/spread.go and
//! pkg/scheduler/framework/plugins/interpodaffinity/plugin.go

use std::collections::BTreeMap;

use api::Key;
use api::labels::Selector;
use api::openapi::api::apps::v1::ReplicaSet;
use api::openapi::api::core::v1::{Namespace, Pod, Service};
use apiserver::{Identity, WatchSelector};
use client::{Context, Informer};
use component_helpers::controller_ref::controller_of;
use sim::{Digest, Digestible};

/// What the scheduler knows of kinds other than pods and nodes.
#[derive(Clone, Debug)]
pub struct Listers {
    replica_sets: Informer<ReplicaSet>,
    namespaces: Informer<Namespace>,
    services: Informer<Service>,
}

impl Listers {
    pub(crate) fn new(identity: &Identity) -> Self {
        Listers {
            replica_sets: Informer::new(identity.clone(), WatchSelector::Everything),
            namespaces: Informer::new(identity.clone(), WatchSelector::Everything),
            services: Informer::new(identity.clone(), WatchSelector::Everything),
        }
    }

    pub(crate) fn sync(&mut self, cx: &mut Context<'_>) {
        self.replica_sets.sync(cx);
        self.namespaces.sync(cx);
        self.services.sync(cx);
    }

    /// What selects the pods that belong with this one: the selectors of its controller and of
    /// the Services that select it. Everything, when it belongs with none.
    /// Upstream: DefaultSelector.
    #[must_use]
    pub fn default_selector(&self, pod: &Pod) -> Selector {
        let mut requirements = Vec::new();
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let mut labels = BTreeMap::new();
        for service in self.services.in_namespace(namespace) {
            // A Service without a selector selects nothing, whatever an empty selector means.
            let spec = service.spec.as_ref();
            let Some(selector) = spec.and_then(|spec| spec.selector.as_ref()) else { continue };
            if Selector::from_set(selector).matches_meta(&pod.metadata) {
                labels.extend(selector.clone());
            }
        }
        requirements.extend_from_slice(Selector::from_set(&labels).requirements());
        if let Some(selector) = self.controller_selector(pod, namespace) {
            requirements.extend_from_slice(selector.requirements());
        }
        Selector::from_requirements(requirements)
    }

    /// The selector of the pod's controller, if that is known and selects by labels.
    fn controller_selector(&self, pod: &Pod, namespace: &str) -> Option<Selector> {
        let owner = controller_of(&pod.metadata)?;
        let key = Key::new(namespace, &owner.name);
        let selector = match (owner.api_version.as_str(), owner.kind.as_str()) {
            ("apps/v1", "ReplicaSet") => &self.replica_sets.get_ref(&key)?.spec.selector,
            _ => return None,
        };
        Selector::from_label_selector(Some(selector)).ok()
    }

    /// The labels of a namespace; none when it is not known.
    /// Upstream: GetNamespaceLabelsSnapshot.
    #[must_use]
    pub fn namespace_labels(&self, name: &str) -> BTreeMap<String, String> {
        let namespace = self.namespaces.get_ref(&Key::new("", name));
        namespace.and_then(|namespace| namespace.metadata.labels.clone()).unwrap_or_default()
    }

    /// The names of the namespaces that a selector selects.
    #[must_use]
    pub fn namespaces(&self, selector: &Selector) -> Vec<&str> {
        let selected =
            self.namespaces.iter().filter(|namespace| selector.matches_meta(&namespace.metadata));
        selected.filter_map(|namespace| namespace.metadata.name.as_deref()).collect()
    }
}

impl Digestible for Listers {
    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.replica_sets);
        digest.add(&self.namespaces);
        digest.add(&self.services);
    }
}
