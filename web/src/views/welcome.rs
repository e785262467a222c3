//! What stands over the map before there is anything on it: first the control plane coming up,
//! then what one can do with an empty cluster.

use protocol::ConditionStatus;
use yew::prelude::*;

use super::Intent;
use super::menus::Example;
use super::parts::{Icon, say};
use crate::browser;
use crate::model::{Counts, World};
use crate::strings::{Language, Strings};

/// How far the cluster has come up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// The engine runs and has built the cluster.
    pub booted: bool,
    /// The API server told of something.
    pub serving: bool,
    /// Nodes that have registered.
    pub registered: usize,
    /// Nodes that are ready.
    pub ready: usize,
    /// Nodes that will be, at least.
    pub wanted: usize,
    /// Pods of the system.
    pub pods: usize,
    /// Those of them that are ready.
    pub ready_pods: usize,
    /// Whether this has taken so long that it may never be complete.
    pub late: bool,
}

/// After this much virtual time the cluster is shown as it is.
const LATE_MS: i64 = 90_000;

impl Progress {
    /// Of a cluster.
    pub fn of(world: &World) -> Progress {
        let nodes = &world.tables.nodes;
        let ready = nodes.values().filter(|node| node.ready == ConditionStatus::True);
        Progress {
            booted: world.booted.is_some(),
            serving: !world.tables.kinds.is_empty() || !nodes.is_empty(),
            registered: nodes.len(),
            ready: ready.count(),
            wanted: world.booted.as_ref().map_or(0, |booted| booted.nodes as usize),
            pods: world.tables.pods.len(),
            ready_pods: Counts::of(world.tables.pods.values()).ready,
            late: world.elapsed_ms() > LATE_MS,
        }
    }

    /// Whether all is there.
    pub fn complete(&self) -> bool {
        let nodes = self.ready >= self.wanted && self.ready == self.registered;
        self.booted && (self.late || (nodes && self.ready_pods == self.pods))
    }
}

/// The control plane coming up.
pub fn boot_screen(now: &Progress, strings: &'static Strings) -> Html {
    let nodes = now.wanted.max(now.registered);
    let count = |part: usize, whole: usize| match whole {
        0 => String::new(),
        whole => format!("{part} / {whole}"),
    };
    let enough = |part: usize| now.booted && part >= nodes;
    let stages = [
        (strings.boot_engine, now.booted, String::new()),
        (strings.boot_server, now.serving, String::new()),
        (strings.boot_registered, enough(now.registered), count(now.registered, nodes)),
        (strings.boot_ready, enough(now.ready), count(now.ready, nodes)),
        (strings.boot_pods, now.complete(), count(now.ready_pods, now.pods)),
    ];
    let row = |(label, done, count): (&'static str, bool, String)| {
        html! {
            <li class={classes!("stage", done.then_some("done"))}>
                <span class="stage-sign" aria-hidden="true"></span>
                <span>{ label }</span>
                <span class="soft numbers">{ count }</span>
            </li>
        }
    };
    html! {
        <div class="overlay" data-testid="boot">
            <div class="boot" role="status" aria-label={strings.boot_title}>
                <h2>{ strings.boot_title }</h2>
                <ol>{ for stages.into_iter().map(row) }</ol>
            </div>
        </div>
    }
}

/// What one can do with an empty cluster.
pub fn welcome(examples: &[Example], language: Language, send: &Callback<Intent>) -> Html {
    let strings = language.strings();
    let paste = {
        let send = send.clone();
        Callback::from(move |_: MouseEvent| {
            if browser::matches_media("(max-width: 999px)") {
                send.emit(Intent::Sheet(super::Sheet::Editor));
            }
            browser::focus("manifest");
        })
    };
    let card = |example: &Example| {
        let id = AttrValue::from(example.id.clone());
        let testid = format!("card-{id}");
        let onclick = say(send, Intent::Example { id, apply: true });
        html! {
            <button type="button" class="example-card" {onclick}
                data-testid={testid}>
                <strong>{ example.title(language) }</strong>
                <span>{ example.summary(language) }</span>
                <em>{ strings.apply }</em>
            </button>
        }
    };
    html! {
        <div class="overlay welcome" data-testid="welcome">
            <div class="welcome-box">
                <h2>{ strings.welcome_title }</h2>
                <p class="soft">{ strings.welcome_text }</p>
                <div class="cards">{ for examples.iter().take(3).map(card) }</div>
                <button type="button" class="link with-icon" onclick={paste} data-testid="paste">
                    { Icon::Document.html() }{ strings.paste }
                </button>
            </div>
        </div>
    }
}
