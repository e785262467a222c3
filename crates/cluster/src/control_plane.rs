//! Components of the control plane as processes: they run while their containers do, and can be
//! stopped and started.
//!
//! The API server and etcd are the exception: they are up as long as the cluster is, whatever
//! becomes of their pods and their node.

use std::sync::Arc;

use controllers::ControllerManager;
use scheduler::Scheduler;

use crate::engine::{CONTROLLER_MANAGER, SCHEDULER};
use crate::{Cluster, bootstrap};

/// The components that can be stopped, with the numbers that their watches go by.
const COMPONENTS: [(&str, u32); 2] =
    [("kube-controller-manager", CONTROLLER_MANAGER), ("kube-scheduler", SCHEDULER)];

impl Cluster {
    /// The components of the control plane that can be stopped, and whether each runs.
    pub fn components(&self) -> impl Iterator<Item = (&'static str, bool)> {
        COMPONENTS.iter().map(|(name, owner)| (*name, !self.stopped.contains(owner)))
    }

    /// Moves the manifest of a component out of the directory of static pods, or back; without a
    /// node of the control plane, ends its process or starts another. Returns whether there is
    /// such a component.
    pub(crate) fn set_component_running(&mut self, name: &str, running: bool) -> bool {
        let Some(&(_, owner)) = COMPONENTS.iter().find(|(other, _)| *other == name) else {
            return false;
        };
        if !self.set_static_pod(name, running) {
            self.set_process_running(owner, running);
        }
        self.disturb();
        true
    }

    /// Lets those components run whose containers do. What a process held is lost with it: its
    /// watches are closed, and the next process lists everything anew.
    pub(crate) fn follow_containers(&mut self) {
        for (name, owner) in COMPONENTS {
            let runs = self.kubelets().any(|kubelet| kubelet.components().any(|n| n == name));
            self.set_process_running(owner, runs);
        }
    }

    fn set_process_running(&mut self, owner: u32, running: bool) {
        if running && self.stopped.remove(&owner) {
            let start = self.now() + bootstrap::start_of(owner, self.streams());
            self.set_wake(owner, Some(start));
        } else if !running && self.stopped.insert(owner) {
            match owner {
                CONTROLLER_MANAGER => {
                    let controllers = self.parts.controllers;
                    self.controller_manager = Arc::new(ControllerManager::new(controllers));
                }
                _ => self.scheduler = Arc::new(Scheduler::new()),
            }
            self.end_process(owner);
        }
    }
}

#[cfg(test)]
mod tests {
    use api::KindId;
    use api::openapi::api::core::v1::{Node, Pod};
    use sim::Duration;

    use crate::{Cluster, Command, Options};

    const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx}]}
";

    fn running() -> Cluster {
        let mut cluster = Cluster::new(Options::default());
        cluster.run(Duration::from_secs(5));
        cluster
    }

    fn set(cluster: &mut Cluster, name: &str, runs: bool) {
        let name = name.to_string();
        let outcome = cluster.execute(match runs {
            true => Command::StartComponent { name },
            false => Command::StopComponent { name },
        });
        assert!(outcome.results.is_empty(), "{:?}", outcome.results);
    }

    /// How many pods there are in `default`, and how many of them have a node.
    fn pods(cluster: &Cluster) -> (usize, usize) {
        let snapshot = cluster.snapshot(KindId::POD);
        let pods = snapshot.iter().filter(|pod| pod.namespace() == "default");
        let bound = |pod: &&api::Object| {
            pod.get::<Pod>().is_some_and(|pod| pod.spec.as_ref().unwrap().node_name.is_some())
        };
        let pods: Vec<_> = pods.collect();
        (pods.len(), pods.iter().filter(|pod| bound(pod)).count())
    }

    #[test]
    fn without_a_scheduler_pods_stay_pending_until_it_is_back() {
        let mut cluster = running();
        set(&mut cluster, "kube-scheduler", false);
        cluster.execute(Command::Apply { text: DEPLOYMENT.into() });
        cluster.run(Duration::from_secs(60));
        assert_eq!(pods(&cluster), (2, 0));
        set(&mut cluster, "kube-scheduler", true);
        cluster.run(Duration::from_secs(5));
        assert_eq!(pods(&cluster), (2, 2));
    }

    #[test]
    fn without_controllers_a_deployment_has_no_pods_until_they_are_back() {
        let mut cluster = running();
        set(&mut cluster, "kube-controller-manager", false);
        cluster.execute(Command::Apply { text: DEPLOYMENT.into() });
        cluster.run(Duration::from_secs(20));
        assert_eq!(pods(&cluster), (0, 0));
        set(&mut cluster, "kube-controller-manager", true);
        cluster.run(Duration::from_secs(5));
        assert_eq!(pods(&cluster), (2, 2));
    }

    #[test]
    fn a_session_with_a_stop_replays_to_the_same_state() {
        let mut cluster = running();
        set(&mut cluster, "kube-scheduler", false);
        let stopped = cluster.state_hash();
        set(&mut cluster, "kube-scheduler", false);
        assert_eq!(cluster.state_hash(), stopped, "it was stopped already");
        set(&mut cluster, "kube-scheduler", true);
        assert_ne!(cluster.state_hash(), stopped);
        cluster.run(Duration::from_secs(5));
        let mut replayed = cluster.session().replay().unwrap();
        replayed.run_until(cluster.now(), u64::MAX);
        assert_eq!(replayed.state_hash(), cluster.state_hash());
    }

    #[test]
    fn without_its_kubelet_a_node_is_lost_but_its_containers_go_on() {
        let mut cluster = running();
        cluster.execute(Command::Apply { text: DEPLOYMENT.into() });
        cluster.run(Duration::from_secs(30));
        let node = "node-1".to_string();
        let outcome = cluster.execute(Command::StopKubelet { node: node.clone() });
        assert!(outcome.results.is_empty(), "{:?}", outcome.results);
        cluster.run(Duration::from_secs(60));
        let kubelet = cluster.kubelets().find(|kubelet| kubelet.node_name() == node).unwrap();
        assert!(kubelet.has_power() && !kubelet.is_running());
        let ready = |cluster: &Cluster| {
            let nodes = cluster.snapshot(KindId::NODE);
            let node = nodes.get(&api::Key::cluster("node-1")).unwrap();
            let status = node.get::<Node>().unwrap().status.clone().unwrap();
            let mut conditions = status.conditions.into_iter().flatten();
            conditions.find(|condition| condition.type_ == "Ready").unwrap().status
        };
        assert_eq!(ready(&cluster), "Unknown", "its lease is not renewed");
        cluster.execute(Command::StartKubelet { node });
        cluster.run(Duration::from_secs(20));
        assert_eq!(ready(&cluster), "True");
        let outcome = cluster.execute(Command::StopKubelet { node: "node-9".into() });
        assert_eq!(outcome.results.len(), 1);
    }

    #[test]
    fn only_what_there_is_can_be_stopped() {
        let mut cluster = running();
        let outcome = cluster.execute(Command::StopComponent { name: "kube-dns".into() });
        assert_eq!(outcome.results.len(), 1);
        let names: Vec<_> = cluster.components().collect();
        assert_eq!(names, [("kube-controller-manager", true), ("kube-scheduler", true)]);
    }
}
