//! What a person, a test or a client outside asks of the cluster. Every command is logged.

use api::openapi::api::apps::v1::{Deployment, ReplicaSet};
use api::{Kind, Kinded, Object, Status};
use apiserver::{Body, DeleteOptions, Identity, Patch, Propagation, Request, Subresource, Verb};
use client::Context;
use kubectl::{Action, DocumentResult};
use serde::{Deserialize, Serialize};
use trace::What;

use crate::parts::{Commands, OfText};
use crate::{Cluster, TrafficSource};

/// What can be asked of the cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// `kubectl apply -f`.
    Apply {
        /// YAML documents.
        text: String,
    },
    /// `kubectl delete -f`.
    Delete {
        /// YAML documents.
        text: String,
    },
    /// `kubectl delete`.
    DeleteObject {
        /// The object's `apiVersion`.
        api_version: String,
        /// The object's kind.
        kind: String,
        /// The object's namespace, or an empty text.
        namespace: String,
        /// The object's name.
        name: String,
    },
    /// `kubectl scale`.
    Scale {
        /// The object's `apiVersion`.
        api_version: String,
        /// The object's kind.
        kind: String,
        /// The object's namespace.
        namespace: String,
        /// The object's name.
        name: String,
        /// How many replicas.
        replicas: i32,
    },
    /// A fault: the node stops, its kubelet and its containers with it.
    FailNode {
        /// The node.
        name: String,
    },
    /// Ends the fault.
    RecoverNode {
        /// The node.
        name: String,
    },
    /// A fault: the process of a node's kubelet ends. The containers go on.
    StopKubelet {
        /// The node.
        node: String,
    },
    /// Ends the fault: another process of the kubelet starts.
    StartKubelet {
        /// The node.
        node: String,
    },
    /// A fault: the process of a component of the control plane ends.
    StopComponent {
        /// The component: `kube-scheduler`.
        name: String,
    },
    /// Ends the fault: another process of the component starts.
    StartComponent {
        /// The component.
        name: String,
    },
    /// Sends HTTP requests at a rate, until it is stopped.
    Traffic {
        /// Its name.
        name: String,
        /// Where the requests come from.
        from: TrafficSource,
        /// Where they go.
        url: String,
        /// How many in a second.
        rate_per_second: u32,
    },
    /// Ends what sends requests.
    StopTraffic {
        /// Its name.
        name: String,
    },
}

/// What became of a command.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// One result for each object that the command named.
    pub results: Vec<DocumentResult>,
}

impl Cluster {
    /// Gives the cluster a command, now, and logs it. While something is lacking, or when the
    /// command needs what is, nothing happens and nothing is logged.
    pub fn execute(&mut self, command: Command) -> Outcome {
        if self.lacks_for(&command) {
            return Outcome { results: Vec::new() };
        }
        let before = self.session().commands.len();
        self.log(&command);
        let results = match command {
            Command::Apply { text } => self.of_text(|commands| commands.apply, &text),
            Command::Delete { text } => self.of_text(|commands| commands.delete, &text),
            Command::DeleteObject { api_version, kind, namespace, name } => {
                let target = Target { api_version, kind, namespace, name };
                vec![target.run(&mut self.host_context(), delete)]
            }
            Command::Scale { api_version, kind, namespace, name, replicas } => {
                let target = Target { api_version, kind, namespace, name };
                vec![target.run(&mut self.host_context(), move |cx, kind, target| {
                    scale(cx, kind, target, replicas)
                })]
            }
            Command::FailNode { name } => self.fault(&name, Fault::Off),
            Command::RecoverNode { name } => self.fault(&name, Fault::On),
            Command::StopKubelet { node } => self.fault(&node, Fault::KubeletStopped),
            Command::StartKubelet { node } => self.fault(&node, Fault::KubeletStarted),
            Command::StopComponent { name } => self.process(&name, false),
            Command::StartComponent { name } => self.process(&name, true),
            Command::Traffic { name, from, url, rate_per_second } => {
                let started = self.start_traffic(&name, (from, url, rate_per_second));
                started.err().map(|why| DocumentResult::refused(name, why)).into_iter().collect()
            }
            Command::StopTraffic { name } => {
                let missing = (!self.stop_traffic(&name)).then(|| {
                    let words = format!("there is no traffic {name:?}");
                    DocumentResult::refused(name, Status::bad_request(words))
                });
                missing.into_iter().collect()
            }
        };
        self.after_command();
        if self.lacking().is_some() {
            self.tear(before, self.events_handled());
        }
        Outcome { results }
    }

    fn of_text(&mut self, command: fn(&Commands) -> OfText, text: &str) -> Vec<DocumentResult> {
        let Some(commands) = self.parts.commands else { return Vec::new() };
        command(&commands)(&mut self.host_context(), &Identity::administrator(), text)
    }

    fn fault(&mut self, name: &str, fault: Fault) -> Vec<DocumentResult> {
        let words = match fault {
            Fault::Off => format!("node {name} fails"),
            Fault::On => format!("node {name} recovers"),
            Fault::KubeletStopped => format!("the kubelet of node {name} stops"),
            Fault::KubeletStarted => format!("the kubelet of node {name} starts"),
        };
        self.host_context().record(What::Fault { fault: words });
        let known = self.with_node(name, |kubelet| match fault {
            Fault::Off | Fault::On => kubelet.set_powered(fault == Fault::On),
            _ => kubelet.set_running(fault == Fault::KubeletStarted),
        });
        if known {
            return Vec::new();
        }
        let kind = api::KindId::NODE.get();
        vec![DocumentResult::refused(format!("node/{name}"), Status::not_found(kind, name))]
    }

    fn process(&mut self, name: &str, running: bool) -> Vec<DocumentResult> {
        let word = if running { "starts" } else { "stops" };
        self.host_context().record(What::Fault { fault: format!("{name} {word}") });
        if self.set_component_running(name, running) {
            return Vec::new();
        }
        let words = format!("no component {name:?} that can be stopped");
        vec![DocumentResult::refused(name.to_string(), Status::bad_request(words))]
    }
}

/// What is done to a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    Off,
    On,
    KubeletStopped,
    KubeletStarted,
}

struct Target {
    api_version: String,
    kind: String,
    namespace: String,
    name: String,
}

impl Target {
    fn run(
        &self,
        cx: &mut Context<'_>,
        act: impl FnOnce(&mut Context<'_>, &'static Kind, &Target) -> Result<(Object, Action), Status>,
    ) -> DocumentResult {
        let Some(kind) = Kind::named(&self.api_version, &self.kind) else {
            let words =
                format!("no matches for kind {:?} in version {:?}", self.kind, self.api_version);
            return DocumentResult::refused(self.name.clone(), Status::bad_request(words));
        };
        let title = kubectl::title(kind, &self.name);
        match act(cx, kind, self) {
            Ok((object, action)) => DocumentResult::done(title, object, action),
            Err(status) => DocumentResult::refused(title, status),
        }
    }

    fn request(&self, kind: &Kind, verb: Verb, body: Body) -> Request {
        Request {
            identity: Identity::administrator(),
            verb,
            kind: kind.id,
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            subresource: Subresource::None,
            body,
            dry_run: false,
        }
    }
}

fn delete(
    cx: &mut Context<'_>,
    kind: &'static Kind,
    target: &Target,
) -> Result<(Object, Action), Status> {
    let options =
        DeleteOptions { propagation: Some(Propagation::Background), ..DeleteOptions::default() };
    let request = target.request(kind, Verb::Delete, Body::Delete(options));
    answered(cx, request).map(|object| (object, Action::Deleted))
}

fn scale(
    cx: &mut Context<'_>,
    kind: &'static Kind,
    target: &Target,
    replicas: i32,
) -> Result<(Object, Action), Status> {
    if ![Deployment::ID, ReplicaSet::ID].contains(&kind.id) {
        return Err(Status::method_not_supported(kind, "scale"));
    }
    let change = Patch::Change(Box::new(move |object| {
        if let Some(deployment) = object.get_mut::<Deployment>() {
            deployment.spec.replicas = Some(replicas);
        } else if let Some(replica_set) = object.get_mut::<ReplicaSet>() {
            replica_set.spec.replicas = Some(replicas);
        }
    }));
    let request = target.request(kind, Verb::Patch, Body::Patch(change));
    answered(cx, request).map(|object| (object, Action::Scaled))
}

fn answered(cx: &mut Context<'_>, request: Request) -> Result<Object, Status> {
    match cx.request(request)? {
        apiserver::Response::Object(object) | apiserver::Response::Deleted(object) => Ok(object),
        _ => Err(Status::internal("the answer is no object")),
    }
}
