//! The inspector's first page: a sentence about the state, then facts.

use std::rc::Rc;

use protocol::{
    ConditionRow, ConditionStatus, ContainerRow, ContainerState, Detail, EndpointRow,
    EndpointState, NodeRow, ObjectRef, Owner, PodRow, PodState, Resources, ServiceRow, WorkloadRow,
};
use yew::prelude::*;

use super::Intent;
use super::parts::{node_glyph, say, state_glyph, state_word};
use crate::format;
use crate::model::{Tables, node_ref, ordered, pod_ref};
use crate::strings::Strings;

/// The page: `detail` is what the engine says of the object, the tables hold its row.
pub fn summary(
    object: &ObjectRef,
    detail: Option<&Detail>,
    tables: &Tables,
    now_ms: i64,
    strings: &'static Strings,
    send: &Callback<Intent>,
) -> Html {
    let page = Words { strings, now_ms, send };
    let facts = if let Some(pod) = tables.pod(object) {
        page.pod(pod)
    } else if let Some(row) = tables.workload(object) {
        page.workload(row, tables)
    } else if let Some((_, row)) = tables.service(object) {
        page.service(row, tables)
    } else if object.kind == "Node" {
        let node = tables.nodes.get(object.name.as_str());
        node.map(|node| page.node(node, tables)).unwrap_or_default()
    } else {
        page.other(object, tables)
    };
    let conditions = detail.map(|detail| detail.conditions.as_slice());
    html! {
        <div class="summary">
            { facts }
            if let Some(conditions) = conditions.filter(|conditions| !conditions.is_empty()) {
                <h3>{ strings.conditions }</h3>
                <ul class="conditions">
                    { for conditions.iter().map(|condition| page.condition(condition)) }
                </ul>
            }
        </div>
    }
}

/// What every part of the page needs.
struct Words<'a> {
    strings: &'static Strings,
    now_ms: i64,
    send: &'a Callback<Intent>,
}

impl Words<'_> {
    fn age(&self, since_ms: i64) -> String {
        format::human_duration(self.now_ms - since_ms)
    }

    fn fact(&self, label: &'static str, value: Html) -> Html {
        html! { <><dt>{ label }</dt><dd>{ value }</dd></> }
    }

    fn text(&self, label: &'static str, value: &str) -> Html {
        if value.is_empty() {
            return Html::default();
        }
        self.fact(label, html! { { value.to_owned() } })
    }

    fn link(&self, object: ObjectRef) -> Html {
        let name = object.name.clone();
        let onclick = say(self.send, Intent::Select(object));
        html! { <button type="button" class="link" {onclick}>{ name }</button> }
    }

    fn owner(&self, namespace: &str, owner: Option<&Owner>) -> Html {
        let Some(owner) = owner else { return Html::default() };
        let object = ObjectRef {
            api_version: owner.api_version.clone(),
            kind: owner.kind.clone(),
            namespace: namespace.to_owned(),
            name: owner.name.clone(),
        };
        let link = self.link(object);
        self.fact(self.strings.owner, html! { <>{ &owner.kind }{ " " }{ link }</> })
    }

    fn pod(&self, pod: &PodRow) -> Html {
        let strings = self.strings;
        let node = match &pod.node {
            Some(name) => self.link(node_ref(name)),
            None => html! { <span class="soft">{ strings.no_node }</span> },
        };
        html! {
            <>
                <p class="sentence" data-testid="state">
                    { state_glyph(pod.state) }
                    <strong>{ state_word(strings, pod.state) }</strong>
                    <code>{ &pod.status }</code>
                </p>
                if !pod.message.is_empty() {
                    <p class="why message" data-testid="message">{ &pod.message }</p>
                }
                <dl class="facts">
                    { self.fact(strings.node, node) }
                    { self.text("IP", &pod.ip) }
                    { self.owner(&pod.namespace, pod.owner.as_ref()) }
                    { self.text(strings.restarts, &pod.restarts.to_string()) }
                    { self.text(strings.requests, &requests(&pod.requests)) }
                    { self.text(strings.age, &self.age(pod.created_ms)) }
                </dl>
                <h3>{ strings.containers }</h3>
                <ul class="containers">
                    { for pod.containers.iter().map(|container| self.container(container)) }
                </ul>
            </>
        }
    }

    fn container(&self, container: &ContainerRow) -> Html {
        let (state, word, more) = match &container.state {
            ContainerState::Waiting { reason, message } => {
                let stuck = reason.contains("BackOff") || reason.contains("Err");
                let state = if stuck { PodState::CrashLooping } else { PodState::Unscheduled };
                (state, reason.clone(), message.clone())
            }
            ContainerState::Running { started_ms } => {
                let state =
                    if container.ready { PodState::Ready } else { PodState::RunningNotReady };
                (state, format!("Running · {}", self.age(*started_ms)), String::new())
            }
            ContainerState::Terminated { exit_code, reason, .. } => {
                let state = if *exit_code == 0 { PodState::Succeeded } else { PodState::Failed };
                (state, reason.clone(), format!("exit code {exit_code}"))
            }
        };
        html! {
            <li class="container" key={container.name.clone()}>
                { state_glyph(state) }
                <div>
                    <strong>{ &container.name }</strong>
                    if container.init { <span class="tag">{ "init" }</span> }
                    <code class="image">{ &container.image }</code>
                    <p class="soft">
                        { word }
                        if container.restarts > 0 { { format!(" · ↻ {}", container.restarts) } }
                    </p>
                    if !more.is_empty() { <p class="soft message">{ more }</p> }
                </div>
            </li>
        }
    }

    fn workload(&self, row: &WorkloadRow, tables: &Tables) -> Html {
        let strings = self.strings;
        let children = tables.workloads.values().filter(|child| {
            child.object.namespace == row.object.namespace
                && owns(child.owner.as_ref(), &row.object)
        });
        let children: Vec<_> = children.cloned().collect();
        let pods: Vec<Rc<PodRow>> = tables
            .pods
            .values()
            .filter(|pod| {
                pod.namespace == row.object.namespace
                    && (owns(pod.owner.as_ref(), &row.object)
                        || children.iter().any(|child| owns(pod.owner.as_ref(), &child.object)))
            })
            .cloned()
            .collect();
        let pods = ordered(pods, |pod| pod.name.clone());
        let share = format::fraction(i64::from(row.ready), i64::from(row.desired));
        html! {
            <>
                <p class="sentence" data-testid="state">
                    <strong class="numbers">{ format!("{} / {}", row.ready, row.desired) }</strong>
                    { strings.state_ready }
                </p>
                { meter(share) }
                <dl class="facts">
                    { self.text(strings.up_to_date, &row.updated.to_string()) }
                    { self.text(strings.available, &row.available.to_string()) }
                    { self.owner(&row.object.namespace, row.owner.as_ref()) }
                    { self.text(strings.image, &row.images.join(", ")) }
                    { self.text(strings.age, &self.age(row.created_ms)) }
                </dl>
                if !children.is_empty() {
                    <h3>{ "ReplicaSets" }</h3>
                    <ul class="links">
                        { for children.iter().map(|child| html! {
                            <li>
                                { self.link(child.object.clone()) }
                                <span class="soft numbers">
                                    { format!("{} / {}", child.ready, child.desired) }
                                </span>
                            </li>
                        }) }
                    </ul>
                }
                { self.pods(&pods) }
            </>
        }
    }

    fn service(&self, row: &ServiceRow, tables: &Tables) -> Html {
        let strings = self.strings;
        let endpoint = |endpoint: &EndpointRow| {
            let (state, word) = match endpoint.state {
                EndpointState::Ready => (PodState::Ready, strings.state_ready),
                EndpointState::NotReady => (PodState::RunningNotReady, strings.endpoint_not_ready),
                EndpointState::Terminating => (PodState::Terminating, strings.state_terminating),
            };
            let pod = endpoint.pod.as_deref().and_then(|uid| tables.pods.get(uid));
            html! {
                <li data-testid="endpoint" title={word}>
                    { state_glyph(state) }<span class="heard">{ word }</span>
                    if let Some(pod) = pod { { self.link(pod_ref(pod)) } }
                    <code>{ &endpoint.address }</code>
                </li>
            }
        };
        html! {
            <>
                <p class="sentence" data-testid="state">
                    <strong class="numbers">{ format!("{} / {}", row.ready, row.total) }</strong>
                    { strings.state_ready }
                </p>
                { meter(format::fraction(i64::from(row.ready), i64::from(row.total))) }
                <dl class="facts">
                    { self.text(strings.service_type, &row.service_type) }
                    { self.text("Cluster-IP", &row.cluster_ip) }
                    { self.text(strings.ports, &row.ports) }
                    { self.text(strings.age, &self.age(row.created_ms)) }
                </dl>
                <h3>{ strings.endpoints }<span class="count">{ row.total }</span></h3>
                <ul class="links">{ for row.endpoints.iter().map(endpoint) }</ul>
            </>
        }
    }

    fn pods(&self, pods: &[Rc<PodRow>]) -> Html {
        const SHOWN: usize = 100;
        if pods.is_empty() {
            return Html::default();
        }
        html! {
            <>
                <h3>{ self.strings.pods }<span class="count">{ pods.len() }</span></h3>
                <ul class="links">
                    { for pods.iter().take(SHOWN).map(|pod| html! {
                        <li key={pod.uid.clone()}>
                            { state_glyph(pod.state) }{ self.link(pod_ref(pod)) }
                            <span class="soft">{ &pod.status }</span>
                        </li>
                    }) }
                </ul>
                if pods.len() > SHOWN { <p class="soft">{ format!("+{}", pods.len() - SHOWN) }</p> }
            </>
        }
    }

    fn node(&self, node: &NodeRow, tables: &Tables) -> Html {
        let strings = self.strings;
        let pods: Vec<Rc<PodRow>> = tables
            .pods
            .values()
            .filter(|pod| pod.node.as_deref() == Some(node.name.as_str()))
            .cloned()
            .collect();
        let pods = ordered(pods, |pod| pod.name.clone());
        let (used, all) = (&node.requested, &node.allocatable);
        let share = |label: &'static str, used: i64, all: i64, show: fn(i64) -> String| {
            html! {
                <div class="share">
                    <span>{ label }</span>
                    <span class="soft numbers">{ format!("{} / {}", show(used), show(all)) }</span>
                    { meter(format::fraction(used, all)) }
                </div>
            }
        };
        html! {
            <>
                <p class="sentence" data-testid="state">
                    { node_glyph(node) }<strong>{ &node.status }</strong>
                    if node.failed {
                        <span class="tag bad">{ strings.switched_off }</span>
                    } else if node.kubelet_stopped {
                        <span class="tag bad">{ strings.kubelet_stopped }</span>
                    }
                </p>
                { share(strings.cpu, used.cpu_milli, all.cpu_milli, format::cpu) }
                { share(strings.memory, used.memory_bytes, all.memory_bytes, format::memory) }
                { share(strings.pods, used.pods, all.pods, |count| count.to_string()) }
                <dl class="facts">
                    { self.text("IP", &node.internal_ip) }
                    { self.text("Kubelet", &node.version) }
                    { self.text(strings.age, &self.age(node.created_ms)) }
                </dl>
                if !node.taints.is_empty() {
                    <h3>{ strings.taints }</h3>
                    <ul class="links">
                        { for node.taints.iter().map(|taint| html! {
                            <li><code>{ taint }</code></li>
                        }) }
                    </ul>
                }
                { self.pods(&pods) }
            </>
        }
    }

    fn other(&self, object: &ObjectRef, tables: &Tables) -> Html {
        let Some(row) = tables.objects.values().find(|row| row.object == *object) else {
            return Html::default();
        };
        let key = format!("{}/{}", object.api_version, object.kind);
        let columns = tables.kinds.get(key.as_str()).map(|kind| kind.columns.clone());
        let cells = columns.unwrap_or_default().into_iter().zip(&row.cells);
        html! {
            <dl class="facts">
                { for cells.map(|(title, cell)| html! {
                    <><dt>{ title }</dt><dd>{ cell.clone() }</dd></>
                }) }
                { self.text(self.strings.age, &self.age(row.created_ms)) }
            </dl>
        }
    }

    fn condition(&self, condition: &ConditionRow) -> Html {
        let (sign, class) = match condition.status {
            ConditionStatus::True => ("True", "yes"),
            ConditionStatus::False => ("False", "no"),
            ConditionStatus::Unknown => ("Unknown", "unknown"),
        };
        html! {
            <li class="condition" key={condition.kind.clone()}>
                <div class="condition-head">
                    <strong>{ &condition.kind }</strong>
                    <span class={classes!("tag", class)}>{ sign }</span>
                    <span class="soft numbers">{ self.age(condition.since_ms) }</span>
                </div>
                if !condition.reason.is_empty() || !condition.message.is_empty() {
                    <p class="soft">
                        { &condition.reason }
                        if !condition.message.is_empty() { { ": " }{ &condition.message } }
                    </p>
                }
            </li>
        }
    }
}

fn owns(owner: Option<&Owner>, object: &ObjectRef) -> bool {
    owner.is_some_and(|owner| owner.kind == object.kind && owner.name == object.name)
}

fn requests(resources: &Resources) -> String {
    match (resources.cpu_milli, resources.memory_bytes) {
        (0, 0) => String::new(),
        (cpu, 0) => format!("cpu {}", format::cpu(cpu)),
        (0, memory) => format!("memory {}", format::memory(memory)),
        (cpu, memory) => format!("cpu {}, memory {}", format::cpu(cpu), format::memory(memory)),
    }
}

fn meter(share: f64) -> Html {
    html! {
        <div class="meter" aria-hidden="true">
            <div class="meter-fill" ~style={format!("width:{}%", (share * 100.0).round() as i32)} />
        </div>
    }
}
