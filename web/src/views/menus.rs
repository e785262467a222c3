//! Menus of the top bar: a button with a panel below it that closes when the focus leaves it.

use std::rc::Rc;

use protocol::{Command, NodeRow};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{HtmlElement, HtmlSelectElement, Node};
use yew::prelude::*;

use super::Intent;
use super::parts::{Icon, say, when};
use crate::map::natural_key;
use crate::model::{Table, ordered};
use crate::strings::{Language, Strings};

/// An example that can be put into the editor.
#[derive(Clone, PartialEq, Debug)]
pub struct Example {
    /// Its file is `examples/ID.yaml`.
    pub id: AttrValue,
    /// Its title, in English and Chinese.
    title: [AttrValue; 2],
    /// What there is to see, in both.
    summary: [AttrValue; 2],
}

impl Example {
    /// The list in `examples/index.json`.
    pub fn list(json: &str) -> Option<Vec<Example>> {
        let list: js_sys::Array = js_sys::JSON::parse(json).ok()?.dyn_into().ok()?;
        let field = |value: &JsValue, name: &str| js_sys::Reflect::get(value, &name.into()).ok();
        let text =
            |value: &JsValue, name: &str| field(value, name)?.as_string().map(AttrValue::from);
        let words = |value: &JsValue, name: &str| {
            let both = field(value, name)?;
            Some([text(&both, "en")?, text(&both, "zh")?])
        };
        list.iter()
            .map(|value| {
                Some(Example {
                    id: text(&value, "id")?,
                    title: words(&value, "title")?,
                    summary: words(&value, "summary")?,
                })
            })
            .collect()
    }

    /// Its title.
    pub fn title(&self, language: Language) -> AttrValue {
        self.title[language as usize].clone()
    }

    /// What there is to see.
    pub fn summary(&self, language: Language) -> AttrValue {
        self.summary[language as usize].clone()
    }
}

/// Properties of [`Menu`].
#[derive(Properties, PartialEq)]
pub struct MenuProps {
    /// Words on the button.
    pub label: &'static str,
    /// Picture on the button.
    #[prop_or_default]
    pub icon: Option<Icon>,
    /// For tests.
    pub testid: &'static str,
    /// Where the panel opens: `up`, `left` or nothing.
    #[prop_or_default]
    pub class: &'static str,
    /// The panel's content, asked for only while it is open.
    pub content: Callback<(), Html>,
}

/// A button that opens a panel. A click on a `[data-closes]` element within closes it.
#[component]
pub fn Menu(props: &MenuProps) -> Html {
    let open = use_state_eq(|| false);
    let (menu, button, panel) = (use_node_ref(), use_node_ref(), use_node_ref());
    {
        // The focus goes in, so that its leaving can close the menu in every browser.
        let panel = panel.clone();
        use_effect_with(*open, move |_| {
            if let Some(panel) = panel.cast::<HtmlElement>() {
                let _ = panel.focus();
            }
        });
    }
    let toggle = {
        let open = open.clone();
        Callback::from(move |_: MouseEvent| open.set(!*open))
    };
    let onfocusout = {
        let (open, menu) = (open.clone(), menu.clone());
        Callback::from(move |event: FocusEvent| {
            let next = event.related_target().and_then(|target| target.dyn_into::<Node>().ok());
            if !menu.get().is_some_and(|menu| menu.contains(next.as_ref())) {
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
        let (open, button) = (open.clone(), button.clone());
        Callback::from(move |event: MouseEvent| {
            let target =
                event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
            if target.is_some_and(|target| matches!(target.closest("[data-closes]"), Ok(Some(_)))) {
                open.set(false);
                // What had the focus goes: it is to be somewhere, not lost.
                if let Some(button) = button.cast::<HtmlElement>() {
                    let _ = button.focus();
                }
            }
        })
    };
    html! {
        <div ref={menu} class={classes!("menu", props.class)} {onfocusout} {onkeydown}>
            <button type="button" ref={button} class="menu-button" onclick={toggle}
                aria-expanded={open.to_string()} aria-haspopup="true"
                data-testid={props.testid} title={props.label} aria-label={props.label}>
                { for props.icon.map(Icon::html) }
                <span class="menu-label">{ props.label }</span>
            </button>
            if *open {
                <div ref={panel} class="menu-panel" tabindex="-1" {onclick}>{ props.content.emit(()) }</div>
            }
        </div>
    }
}

/// The menu of examples.
pub fn examples_menu(
    examples: &Rc<Vec<Example>>,
    language: Language,
    send: &Callback<Intent>,
) -> Html {
    let strings = language.strings();
    let (examples, send) = (Rc::clone(examples), send.clone());
    let content = Callback::from(move |()| {
        let item = |example: &Example| {
            let onclick = say(&send, Intent::Example { id: example.id.clone(), apply: false });
            html! {
                <button type="button" class="menu-item" data-closes="" {onclick}
                    data-testid={format!("example-{}", example.id)}>
                    <strong>{ example.title(language) }</strong>
                    <span>{ example.summary(language) }</span>
                </button>
            }
        };
        html! { <>{ for examples.iter().map(item) }</> }
    });
    html! {
        <Menu label={strings.examples} icon={Icon::Document} testid="examples-menu" {content} />
    }
}

/// Ends a node's kubelet alone, or starts it again; and the words for that.
fn kubelet_fault(row: &NodeRow, strings: &'static Strings) -> (Intent, &'static str) {
    let node = row.name.clone();
    let (command, words) = match row.kubelet_stopped {
        true => (Command::StartKubelet { node }, strings.start_kubelet),
        false => (Command::StopKubelet { node }, strings.stop_kubelet),
    };
    (Intent::Send(command), words)
}

/// Switches a node off, or on again.
pub fn fault(node: &NodeRow) -> Intent {
    let name = node.name.clone();
    Intent::Send(match node.failed {
        true => Command::RecoverNode { name },
        false => Command::FailNode { name },
    })
}

/// The menu of things that can go wrong.
pub fn faults_menu(
    nodes: &Table<NodeRow>,
    strings: &'static Strings,
    send: &Callback<Intent>,
) -> Html {
    let (nodes, send) = (nodes.clone(), send.clone());
    let content = Callback::from(move |()| {
        let sorted = ordered(nodes.values().collect(), |node| natural_key(&node.name));
        let item = |node: &Rc<NodeRow>| {
            let (kubelet, kubelet_words) = kubelet_fault(node, strings);
            html! {
                <div class="menu-row">
                    <span class="menu-row-name">{ &node.name }</span>
                    <span class="soft">{ &node.status }</span>
                    <button type="button" class="button small" disabled={node.failed}
                        onclick={say(&send, kubelet)}
                        data-testid={format!("kubelet-{}", node.name)}>
                        { kubelet_words }
                    </button>
                    <button type="button" class="button small" onclick={say(&send, fault(node))}
                        data-testid={format!("fault-{}", node.name)}>
                        { if node.failed { strings.recover } else { strings.fail } }
                    </button>
                </div>
            }
        };
        html! {
            <>
                <p class="menu-text">{ strings.faults_text }</p>
                <div class="menu-scroll">{ for sorted.into_iter().map(item) }</div>
            </>
        }
    });
    html! {
        <Menu label={strings.faults} icon={Icon::Fault} testid="faults-menu" class="left" {content} />
    }
}

/// The menu that builds a fresh cluster. A change of the number of nodes builds one at once.
pub fn cluster_menu(
    seed: u64,
    nodes: u32,
    strings: &'static Strings,
    send: &Callback<Intent>,
) -> Html {
    let send = send.clone();
    let content = Callback::from(move |()| {
        let onchange = when(&send, move |event: Event| {
            let select: HtmlSelectElement = event.target()?.dyn_into().ok()?;
            Some(Intent::Boot { seed, nodes: select.value().parse().ok()? })
        });
        let option = |number: u32| {
            let selected = number == nodes;
            html! { <option value={number.to_string()} {selected}>{ number }</option> }
        };
        let boot = |seed: u64| say(&send, Intent::Boot { seed, nodes });
        html! {
            <>
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
                    <button type="button" class="button small" data-closes=""
                        onclick={boot(seed.wrapping_add(1))} data-testid="cluster-new-seed">
                        { strings.other_seed }
                    </button>
                    <button type="button" class="button small primary" data-closes=""
                        onclick={boot(seed)} data-testid="cluster-boot">
                        { strings.new_cluster }
                    </button>
                </div>
            </>
        }
    });
    html! { <Menu label={strings.cluster} testid="cluster-menu" icon={Icon::Down} {content} /> }
}
