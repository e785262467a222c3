//! A cluster with nothing but an API server and the controller manager, in which the test
//! itself plays the scheduler and the kubelets.

use std::sync::Arc;

use api::Kinded;
use api::openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, ReplicaSet, RollingUpdateDeployment,
};
use api::openapi::api::core::v1::{
    Container, Event, Namespace, NamespaceSpec, Pod, PodCondition, PodSpec, PodTemplateSpec,
};
use api::openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use api::openapi::apimachinery::pkg::util::intstr::IntOrString;
use apiserver::{DeleteOptions, Identity, ListOptions, Propagation};
use client::EventRecorder;
use client::testing::TestCluster;
use sim::Duration;

use crate::{ControllerManager, SharedInformers, SyncContext};

pub(crate) const NAMESPACE: &str = "default";

pub(crate) struct World {
    pub(crate) cluster: TestCluster,
    pub(crate) manager: ControllerManager,
}

impl World {
    /// A cluster with the namespace default.
    pub(crate) fn new() -> Self {
        let mut world = World {
            cluster: TestCluster::new(),
            manager: ControllerManager::new(crate::Controllers::ALL),
        };
        world.create_namespace(NAMESPACE);
        world.run(20);
        world
    }

    pub(crate) fn create_namespace(&mut self, name: &str) {
        let metadata = ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() };
        let spec = NamespaceSpec { finalizers: Some(vec!["kubernetes".into()]) };
        let namespace = Namespace { metadata, spec: Some(spec), ..Namespace::default() };
        self.cluster.api::<Namespace>("").create(namespace).expect("created");
    }

    pub(crate) fn create<T: Kinded>(&mut self, object: T) -> Arc<T> {
        self.cluster.api::<T>(NAMESPACE).create(object).expect("created")
    }

    pub(crate) fn run(&mut self, milliseconds: u64) {
        self.cluster.run(&mut [&mut self.manager], Duration::from_millis(milliseconds));
    }

    pub(crate) fn run_seconds(&mut self, seconds: u64) {
        self.run(1000 * seconds);
    }

    /// Lets time pass in steps of a second and a little, as far as the controllers' timers need.
    pub(crate) fn skip_seconds(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.cluster.now += Duration::from_millis(990);
            self.run(10);
        }
    }

    pub(crate) fn list<T: Kinded>(&mut self) -> Vec<Arc<T>> {
        self.cluster.api::<T>(NAMESPACE).list(ListOptions::default()).expect("listed")
    }

    pub(crate) fn get<T: Kinded>(&mut self, name: &str) -> Arc<T> {
        self.cluster.api::<T>(NAMESPACE).get(name).expect("found")
    }

    pub(crate) fn change<T: Kinded>(&mut self, name: &str, change: impl FnOnce(&mut T) + 'static) {
        self.cluster.api::<T>(NAMESPACE).patch(name, change).expect("patched");
    }

    /// The messages of all Events with that reason, in the order of their making.
    pub(crate) fn messages(&mut self, reason: &str) -> Vec<String> {
        let mut events = self.list::<Event>();
        events.retain(|event| event.reason.as_deref() == Some(reason));
        let version = |event: &Event| {
            event.metadata.resource_version.as_deref().and_then(|text| text.parse::<u64>().ok())
        };
        events.sort_by_key(|event| version(event));
        events.iter().filter_map(|event| event.message.clone()).collect()
    }

    /// Sets the phase of a pod and whether it is ready, as a kubelet does.
    pub(crate) fn set_pod(&mut self, name: &str, phase: &'static str, ready: bool) {
        let now = self.cluster.context(0).timestamp();
        let patched = self.cluster.api::<Pod>(NAMESPACE).patch_status(name, move |pod| {
            let status = pod.status.get_or_insert_default();
            status.phase = Some(phase.into());
            status.conditions = Some(vec![PodCondition {
                type_: "Ready".into(),
                status: if ready { "True" } else { "False" }.into(),
                last_transition_time: Some(now),
                ..PodCondition::default()
            }]);
        });
        patched.expect("patched");
    }

    /// Makes every pod that is not ready run and ready.
    pub(crate) fn make_pods_ready(&mut self) {
        for pod in self.list::<Pod>() {
            let status = pod.status.clone().unwrap_or_default();
            if status.phase.as_deref() != Some("Running")
                && pod.metadata.deletion_timestamp.is_none()
            {
                self.set_pod(pod.metadata.name.as_deref().expect("named"), "Running", true);
            }
        }
    }

    /// Ends the pods that were told to, as their kubelets do.
    pub(crate) fn finish_pods(&mut self) {
        for pod in self.list::<Pod>() {
            if pod.metadata.deletion_timestamp.is_some() {
                let name = pod.metadata.name.as_deref().expect("named");
                self.delete_with::<Pod>(name, None, Some(0));
            }
        }
    }

    pub(crate) fn delete<T: Kinded>(&mut self, name: &str, propagation: Option<Propagation>) {
        self.delete_with::<T>(name, propagation, None);
    }

    pub(crate) fn delete_with<T: Kinded>(
        &mut self,
        name: &str,
        propagation: Option<Propagation>,
        grace_period_seconds: Option<i64>,
    ) {
        let options =
            DeleteOptions { propagation, grace_period_seconds, ..DeleteOptions::default() };
        let namespace = if T::ID.get().is_namespaced() { NAMESPACE } else { "" };
        self.cluster.api::<T>(namespace).delete(name, options).expect("deleted");
    }

    /// Whether an object of the namespace default exists.
    pub(crate) fn exists<T: Kinded>(&mut self, name: &str) -> bool {
        self.cluster.api::<T>(NAMESPACE).get(name).is_ok()
    }

    /// Runs, and plays kubelet in between, until nothing is stored any more.
    pub(crate) fn settle(&mut self) {
        for _ in 0..200 {
            let before = self.cluster.server.revision();
            self.run(50);
            self.make_pods_ready();
            self.finish_pods();
            if self.cluster.server.revision() == before {
                return;
            }
        }
        panic!("the cluster does not settle");
    }
}

/// Gives `run` what a controller is given while it reconciles a key.
pub(crate) fn in_sync<R>(world: &mut World, run: impl FnOnce(&mut SyncContext<'_, '_>) -> R) -> R {
    let identity = Identity::administrator();
    let mut recorder = EventRecorder::new(identity.clone(), "test", None);
    let informers = SharedInformers::new(identity.clone());
    run(&mut SyncContext {
        cx: &mut world.cluster.context(0),
        informers: &informers,
        identity: &identity,
        recorder: &mut recorder,
        writes: sim::SmallMap::new(),
        also: Vec::new(),
    })
}

pub(crate) fn labels(pairs: &[(&str, &str)]) -> Option<std::collections::BTreeMap<String, String>> {
    Some(pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect())
}

pub(crate) fn selector(pairs: &[(&str, &str)]) -> LabelSelector {
    LabelSelector { match_labels: labels(pairs), ..LabelSelector::default() }
}

pub(crate) fn template(image: &str, pairs: &[(&str, &str)]) -> PodTemplateSpec {
    let container =
        Container { name: "main".into(), image: Some(image.into()), ..Container::default() };
    PodTemplateSpec {
        metadata: Some(ObjectMeta { labels: labels(pairs), ..ObjectMeta::default() }),
        spec: Some(PodSpec { containers: vec![container], ..PodSpec::default() }),
    }
}

pub(crate) fn meta(name: &str, pairs: &[(&str, &str)]) -> ObjectMeta {
    ObjectMeta { name: Some(name.into()), labels: labels(pairs), ..ObjectMeta::default() }
}

pub(crate) fn replica_set(name: &str, replicas: i32) -> ReplicaSet {
    let mut replica_set = ReplicaSet { metadata: meta(name, &[]), ..ReplicaSet::default() };
    replica_set.spec.replicas = Some(replicas);
    replica_set.spec.selector = selector(&[("app", name)]);
    replica_set.spec.template = Some(template("nginx", &[("app", name)]));
    replica_set
}

pub(crate) fn pod(name: &str, pairs: &[(&str, &str)]) -> Pod {
    let spec = template("nginx", &[]).spec;
    Pod { metadata: meta(name, pairs), spec, status: None }
}

/// A Deployment with what the API server would set by default.
pub(crate) fn deployment(name: &str, replicas: i32, surge: &str, unavailable: &str) -> Deployment {
    let value = |text: &str| {
        text.parse().map_or_else(|_| IntOrString::String(text.into()), IntOrString::Int)
    };
    let rolling_update = RollingUpdateDeployment {
        max_surge: Some(value(surge)),
        max_unavailable: Some(value(unavailable)),
    };
    Deployment {
        metadata: meta(name, &[]),
        spec: DeploymentSpec {
            replicas: Some(replicas),
            selector: selector(&[("app", name)]),
            template: template("nginx:1", &[("app", name)]),
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".into()),
                rolling_update: Some(rolling_update),
            }),
            progress_deadline_seconds: Some(600),
            revision_history_limit: Some(10),
            ..DeploymentSpec::default()
        },
        status: None,
    }
}
