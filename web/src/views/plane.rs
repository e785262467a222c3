//! The control plane above the map: whether its pods are shown, and which of its components run,
//! each a switch. The system's Deployments are switches too: without replicas they do not run.

use std::rc::Rc;

use protocol::{Command, ComponentRow, WorkloadRow};
use yew::prelude::*;

use super::Intent;
use super::parts::{Icon, say};
use crate::model::{Table, is_namespace_of_the_system};
use crate::strings::Strings;

/// How many replicas an add-on that was stopped is started with: as many as kubeadm gives CoreDNS.
const REPLICAS: u32 = 2;

/// A switch for each component.
pub fn control_plane(
    components: &Table<ComponentRow>,
    (system, workloads): (bool, &Table<WorkloadRow>),
    strings: &'static Strings,
    send: &Callback<Intent>,
) -> Html {
    let switch = |component: &ComponentRow| {
        let name = component.name.clone();
        let command = match component.running {
            true => Command::StopComponent { name },
            false => Command::StartComponent { name },
        };
        part((&component.name, component.running), strings, say(send, Intent::Send(command)))
    };
    let addon = |row: &Rc<WorkloadRow>| {
        let running = row.desired > 0;
        let replicas = if running { 0 } else { REPLICAS };
        let scale = Command::ScaleObject { object: row.object.clone(), replicas };
        let name = &row.object.name;
        part((name, running), strings, say(send, Intent::Send(scale)))
    };
    let is_addon = |row: &&Rc<WorkloadRow>| {
        row.object.kind == "Deployment" && is_namespace_of_the_system(&row.object.namespace)
    };
    html! {
        <div class="plane" role="group" aria-label={strings.control_plane}>
            <span class="soft" aria-hidden="true">{ strings.control_plane }</span>
            <button type="button" class="part bare" onclick={say(send, Intent::System)}
                aria-pressed={system.to_string()} data-testid="system-pods">
                { Icon::Inspect.html() }{ strings.system_pods }
            </button>
            { for components.values().map(|component| switch(component)) }
            { for workloads.values().filter(is_addon).map(addon) }
        </div>
    }
}

fn part(
    (name, running): (&String, bool),
    strings: &'static Strings,
    onclick: Callback<MouseEvent>,
) -> Html {
    let (class, title) = match running {
        true => ("part", strings.stop),
        false => ("part stopped", strings.start),
    };
    html! {
        <button type="button" {class} {title} {onclick} aria-pressed={running.to_string()}
            data-testid={format!("component-{name}")}>
            { name }
            if !running { <span>{ strings.stopped }</span> }
            { if running { Icon::Pause.html() } else { Icon::Play.html() } }
        </button>
    }
}
