//! What the scheduler knows of kinds other than pods and nodes.
//!
//! Upstream: pkg/scheduler/framework/plugins/helper/spread.go and
//! pkg/scheduler/framework/plugins/interpodaffinity/plugin.go

use std::collections::BTreeMap;

use api::Key;
use api::labels::Selector;
use api::openapi::api::apps::v1::ReplicaSet;
use api::openapi::api::core::v1::{Namespace, Pod};
use apiserver::{Identity, WatchSelector};
use client::{Context, Informer};
use component_helpers::controller_ref::controller_of;
use sim::{Digest, Digestible};

/// What the scheduler knows of kinds other than pods and nodes.
#[derive(Clone, Debug)]
pub struct Listers {
    replica_sets: Informer<ReplicaSet>,
    namespaces: Informer<Namespace>,
}

impl Listers {
    pub(crate) fn new(identity: &Identity) -> Self {
        Listers {
            replica_sets: Informer::new(identity.clone(), WatchSelector::Everything),
            namespaces: Informer::new(identity.clone(), WatchSelector::Everything),
        }
    }

    pub(crate) fn sync(&mut self, cx: &mut Context<'_>) {
        self.replica_sets.sync(cx);
        self.namespaces.sync(cx);
    }

    /// What selects the pods that belong with this one: the selector of its controller.
    /// Upstream: DefaultSelector.
    #[must_use]
    pub fn default_selector(&self, pod: &Pod) -> Selector {
        let Some(owner) = controller_of(&pod.metadata) else { return Selector::everything() };
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let key = Key::new(namespace, &owner.name);
        let selector = match (owner.api_version.as_str(), owner.kind.as_str()) {
            ("apps/v1", "ReplicaSet") => {
                self.replica_sets.get_ref(&key).map(|replica_set| &replica_set.spec.selector)
            }
            _ => None,
        };
        let selector = selector.map(|selector| Selector::from_label_selector(Some(selector)));
        // A selector of nothing adds no requirement.
        let requirements =
            selector.and_then(Result::ok).map(|selector| selector.requirements().to_vec());
        Selector::from_requirements(requirements.unwrap_or_default())
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
    }
}
