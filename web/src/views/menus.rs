//! Menus of the top bar: a button with a panel below it that closes when the focus leaves it.

use std::rc::Rc;

use protocol::{Command, NodeRow};
use serde::Deserialize;
use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, HtmlSelectElement, Node};
use yew::prelude::*;

use super::Intent;
use super::parts::{Icon, use_strings};
use crate::model::Tables;
use crate::strings::Language;

/// An example that can be put into the editor.
#[derive(Deserialize, Clone, PartialEq, Debug)]
pub struct Example {
    /// Its file is `examples/ID.yaml`.
    pub id: String,
    title: Words,
    summary: Words,
}

#[derive(Deserialize, Clone, PartialEq, Debug)]
struct Words {
    en: String,
    zh: String,
}

impl Words {
    fn in_language(&self, language: Language) -> &str {
        match language {
            Language::English => &self.en,
            Language::Chinese => &self.zh,
        }
    }
}

impl Example {
    /// Its title.
    pub fn title(&self, language: Language) -> AttrValue {
        self.title.in_language(language).to_owned().into()
    }

    /// What there is to see.
    pub fn summary(&self, language: Language) -> AttrValue {
        self.summary.in_language(language).to_owned().into()
    }
}

/// Properties of [`Menu`].
#[derive(Properties, PartialEq)]
pub struct MenuProps {
    /// Words on the button.
    pub label: AttrValue,
    /// Picture on the button.
    #[prop_or_default]
    pub icon: Option<Icon>,
    /// For tests.
    pub testid: AttrValue,
    /// Where the panel opens: `up`, `left` or nothing.
    #[prop_or_default]
    pub class: Classes,
    /// The panel's content.
    pub children: Children,
}

/// A button that opens a panel. A click on a `[data-closes]` element within closes it.
#[component]
pub fn Menu(props: &MenuProps) -> Html {
    let open = use_state_eq(|| false);
    let button = use_node_ref();
    let toggle = {
        let open = open.clone();
        Callback::from(move |_: MouseEvent| open.set(!*open))
    };
    let onfocusout = {
        let open = open.clone();
        Callback::from(move |event: FocusEvent| {
            let menu = event.current_target().and_then(|target| target.dyn_into::<Node>().ok());
            let next = event.related_target().and_then(|target| target.dyn_into::<Node>().ok());
            if !menu.is_some_and(|menu| menu.contains(next.as_ref())) {
                open.set(false);
            }
        })
    };
    let onkeydown = {
        let (open, button) = (open.clone(), button.clone());
        Callback::from(move |event: KeyboardEvent| {
            if event.key() == "Escape" && *open {
                event.stop_propagation();
                open.set(false);
                if let Some(button) = button.cast::<HtmlElement>() {
                    let _ = button.focus();
                }
            }
        })
    };
    let onclick = {
        let open = open.clone();
        Callback::from(move |event: MouseEvent| {
            let target =
                event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
            if target.is_some_and(|target| matches!(target.closest("[data-closes]"), Ok(Some(_)))) {
                open.set(false);
            }
        })
    };
    html! {
        <div class={classes!("menu", props.class.clone())} {onfocusout} {onkeydown}>
            <button type="button" ref={button} class="menu-button" onclick={toggle}
                aria-expanded={open.to_string()} aria-haspopup="true"
                data-testid={&props.testid} title={&props.label} aria-label={&props.label}>
                { for props.icon.map(Icon::html) }
                <span class="menu-label">{ &props.label }</span>
            </button>
            if *open {
                <div class="menu-panel" tabindex="-1" {onclick}>{ for props.children.iter() }</div>
            }
        </div>
    }
}

/// Properties of [`Examples`].
#[derive(Properties, PartialEq)]
pub struct ExamplesProps {
    /// All of them.
    pub examples: Rc<Vec<Example>>,
    /// Where intents go.
    pub send: Callback<Intent>,
}

/// The menu of examples.
#[component]
pub fn Examples(props: &ExamplesProps) -> Html {
    let strings = use_strings();
    let language = use_context::<Language>().unwrap_or_default();
    let item = |example: &Example| {
        let id = AttrValue::from(example.id.clone());
        let testid = format!("example-{id}");
        let onclick = props
            .send
            .reform(move |_: MouseEvent| Intent::Example { id: id.clone(), apply: false });
        html! {
            <button type="button" key={example.id.clone()} class="menu-item two-lines"
                data-closes="" data-testid={testid} {onclick}>
                <strong>{ example.title(language) }</strong>
                <span>{ example.summary(language) }</span>
            </button>
        }
    };
    html! {
        <Menu label={strings.examples} icon={Icon::Document} testid="examples-menu">
            { for props.examples.iter().map(item) }
        </Menu>
    }
}

/// Properties of [`Faults`].
#[derive(Properties, PartialEq)]
pub struct FaultsProps {
    /// The cluster.
    pub tables: Tables,
    /// Where intents go.
    pub send: Callback<Intent>,
}

/// The menu of things that can go wrong.
#[component]
pub fn Faults(props: &FaultsProps) -> Html {
    let strings = use_strings();
    let mut nodes: Vec<&Rc<NodeRow>> = props.tables.nodes.values().collect();
    nodes.sort_unstable_by(|left, right| crate::map::natural(&left.name, &right.name));
    let item = |node: &&Rc<NodeRow>| {
        let (name, failed) = (node.name.clone(), node.failed);
        let onclick = props.send.reform(move |_: MouseEvent| {
            let name = name.clone();
            Intent::Send(if failed {
                Command::RecoverNode { name }
            } else {
                Command::FailNode { name }
            })
        });
        html! {
            <div class="menu-row" key={node.name.clone()}>
                <span class="menu-row-name">{ &node.name }</span>
                <span class="soft">{ &node.status }</span>
                <button type="button" class="button small" {onclick}
                    data-testid={format!("fault-{}", node.name)}>
                    { if failed { strings.recover } else { strings.fail } }
                </button>
            </div>
        }
    };
    html! {
        <Menu label={strings.faults} icon={Icon::Fault} testid="faults-menu" class="left">
            <p class="menu-text">{ strings.faults_text }</p>
            <div class="menu-scroll">{ for nodes.iter().map(item) }</div>
        </Menu>
    }
}

/// Properties of [`ClusterMenu`].
#[derive(Properties, PartialEq)]
pub struct ClusterMenuProps {
    /// Seed in force.
    pub seed: u64,
    /// Nodes in force.
    pub nodes: u32,
    /// Where intents go.
    pub send: Callback<Intent>,
}

/// The menu that builds a fresh cluster.
#[component]
pub fn ClusterMenu(props: &ClusterMenuProps) -> Html {
    let strings = use_strings();
    let nodes = use_state_eq(|| props.nodes);
    let onchange = {
        let nodes = nodes.clone();
        Callback::from(move |event: Event| {
            let select = event.target().and_then(|t| t.dyn_into::<HtmlSelectElement>().ok());
            if let Some(count) = select.and_then(|select| select.value().parse().ok()) {
                nodes.set(count);
            }
        })
    };
    let (seed, count) = (props.seed, *nodes);
    let again = props.send.reform(move |_: MouseEvent| Intent::Boot { seed, nodes: count });
    let other = props
        .send
        .reform(move |_: MouseEvent| Intent::Boot { seed: seed.wrapping_add(1), nodes: count });
    let option = |number: u32| {
        html! { <option value={number.to_string()} selected={number == count}>{ number }</option> }
    };
    html! {
        <Menu label={strings.cluster} testid="cluster-menu" icon={Icon::Down}>
            <p class="menu-text">{ strings.cluster_text }</p>
            <label class="menu-row">
                <span class="menu-row-name">{ strings.nodes }</span>
                <select data-testid="cluster-nodes" {onchange}>
                    { for [1, 2, 3, 5, 10, 30, 100].map(option) }
                </select>
            </label>
            <div class="menu-row">
                <span class="menu-row-name">{ strings.seed }</span>
                <code>{ seed }</code>
            </div>
            <div class="menu-row end">
                <button type="button" class="button small" data-closes="" onclick={other}
                    data-testid="cluster-new-seed">{ strings.other_seed }</button>
                <button type="button" class="button small primary" data-closes="" onclick={again}
                    data-testid="cluster-boot">{ strings.new_cluster }</button>
            </div>
        </Menu>
    }
}
