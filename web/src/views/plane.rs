//! The control plane above the map: whether its pods are shown, and which of its components run,
//! each a switch.

use protocol::{Command, ComponentRow};
use yew::prelude::*;

use super::Intent;
use super::parts::{Icon, say};
use crate::model::Table;
use crate::strings::Strings;

/// A switch for each component.
pub fn control_plane(
    components: &Table<ComponentRow>,
    system: bool,
    strings: &'static Strings,
    send: &Callback<Intent>,
) -> Html {
    let switch = |component: &ComponentRow| {
        let name = component.name.clone();
        let (class, title, command) = match component.running {
            true => ("part", strings.stop, Command::StopComponent { name }),
            false => ("part stopped", strings.start, Command::StartComponent { name }),
        };
        html! {
            <button type="button" {class} {title} onclick={say(send, Intent::Send(command))}
                aria-pressed={component.running.to_string()}
                data-testid={format!("component-{}", component.name)}>
                { &component.name }
                if !component.running { <span>{ strings.stopped }</span> }
                { if component.running { Icon::Pause.html() } else { Icon::Play.html() } }
            </button>
        }
    };
    html! {
        <div class="plane" role="group" aria-label={strings.control_plane}>
            <span class="soft" aria-hidden="true">{ strings.control_plane }</span>
            <button type="button" class="part bare" onclick={say(send, Intent::System)}
                aria-pressed={system.to_string()} data-testid="system-pods">
                { Icon::Inspect.html() }{ strings.system_pods }
            </button>
            { for components.values().map(|component| switch(component)) }
        </div>
    }
}
