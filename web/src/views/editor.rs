//! The editor: a textarea over a coloured copy of its text, line numbers with marks where the
//! API server found something, and what became of the last Apply. When all else is there, a whole
//! editor is loaded (`web/editor`) and stands over the textarea, which it hears (`sync`) and tells
//! (`input`); it works alone as well.

use std::collections::BTreeMap;
use std::rc::Rc;

use gloo::events::EventListener;
use protocol::{Action, AppliedObject, CommandResult, Problem};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlInputElement, HtmlTextAreaElement};
use yew::prelude::*;

use super::Intent;
use super::parts::{Icon, icon_button, say, when};
use crate::edit::{self, Edit};
use crate::files;
use crate::highlight;
use crate::strings::{Language, Strings};

/// Above this many lines the text is not coloured: a keystroke must stay fast.
const COLOURED_LINES: usize = 800;
/// Above this many bytes there is only the textarea.
const LARGE: usize = 200_000;
const LINE_HEIGHT: f64 = 20.0;

/// Properties of [`Editor`].
#[derive(Properties, PartialEq)]
pub struct EditorProps {
    /// The text.
    pub text: AttrValue,
    /// What became of the last Apply or Delete.
    pub result: Option<Rc<CommandResult>>,
    /// Whether an answer is awaited.
    pub waiting: bool,
    /// Whether an example replaced a text that can be brought back.
    pub replaced: bool,
    /// Language in force.
    pub language: Language,
    /// Where intents go.
    pub send: Callback<Intent>,
}

/// The editor.
#[component]
pub fn Editor(props: &EditorProps) -> Html {
    let strings = props.language.strings();
    let area = use_node_ref();
    let scroller = use_node_ref();
    let jump = {
        let (area, scroller, text) = (area.clone(), scroller.clone(), props.text.clone());
        Callback::from(move |(line, column): (u32, u32)| {
            go_to(&area, &scroller, &text, line, column);
        })
    };
    let send = &props.send;
    let problems = props.result.as_ref().map(|result| result.problems.as_slice());
    let marks = marks(problems.unwrap_or_default());
    let enhanced = use_state_eq(|| false);
    let large = props.text.len() > LARGE;
    let plain = large || *enhanced;
    let marked = marked(problems.unwrap_or_default());
    {
        let (area, enhanced) = (area.clone(), enhanced.clone());
        use_effect_with((), move |()| {
            let area = area.cast::<HtmlTextAreaElement>();
            let listener = area
                .map(|area| EventListener::once(&area, "enhanced", move |_| enhanced.set(true)));
            move || drop(listener)
        });
    }
    {
        let area = area.clone();
        use_effect_with((props.text.clone(), marked.clone()), move |_| {
            if let (Some(area), Ok(event)) =
                (area.cast::<HtmlTextAreaElement>(), web_sys::Event::new("sync"))
            {
                let _ = area.dispatch_event(&event);
            }
        });
    }
    html! {
        <>
            <header class="panel-head">
                <h2>{ strings.manifest }</h2>
                if props.replaced {
                    <button type="button" class="link" onclick={say(send, Intent::Restore)}
                        data-testid="restore">{ strings.restore }</button>
                }
                { open_files(strings, send) }
                { icon_button(Icon::Close, strings.close, "", "sheet-close",
                    say(send, Intent::Sheet(super::Sheet::Editor))) }
            </header>
            <div class={classes!("code", large.then_some("large"), enhanced.then_some("enhanced"))}
                ref={scroller}>
                if !plain { { gutter(props.text.split('\n').count(), &marks) } }
                <div class="code-cell">
                    if !plain { <Coloured text={props.text.clone()} /> }
                    { text_area(&props.text, area, strings, send) }
                </div>
                <div id="manifest-host" class="code-host" data-marks={marked} />
            </div>
            { outcome(props.result.as_deref(), &jump, strings) }
            <footer class="panel-foot">
                <button type="button" class="button primary" onclick={say(send, Intent::Apply)}
                    disabled={props.waiting} data-testid="apply" title="Ctrl+Enter">
                    { strings.apply }
                </button>
                <button type="button" class="button" onclick={say(send, Intent::Delete)}
                    disabled={props.waiting} data-testid="delete">{ strings.delete }</button>
                <kbd class="soft keys" title={strings.editor_keys}>
                    { "Ctrl+Enter · Esc" }
                </kbd>
            </footer>
        </>
    }
}

/// A button that lets the browser ask for files.
fn open_files(strings: &'static Strings, send: &Callback<Intent>) -> Html {
    let onchange = when(send, |event: Event| {
        let input: HtmlInputElement = event.target()?.dyn_into().ok()?;
        let files = files::of_list(&input.files()?);
        // So that the same file, changed, can be opened again.
        input.set_value("");
        Some(Intent::Open(files))
    });
    html! {
        <label class="icon-button file-button" title={strings.open_files}>
            { Icon::Folder.html() }
            <input type="file" class="heard" multiple=true accept=".yaml,.yml,.json"
                aria-label={strings.open_files} {onchange} data-testid="open-files" />
        </label>
    }
}

fn marks(problems: &[Problem]) -> BTreeMap<u32, String> {
    let mut marks = BTreeMap::new();
    for problem in problems {
        let Some(line) = problem.line else { continue };
        let text: &mut String = marks.entry(line).or_default();
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&problem.message);
    }
    marks
}

/// The same for the editor that stands over the textarea: `LINE:COLUMN:MESSAGE`, one a line.
fn marked(problems: &[Problem]) -> String {
    let mark = |problem: &Problem| {
        let (line, column) = (problem.line?, problem.column.unwrap_or(1));
        let message: String =
            problem.message.chars().map(|it| if it == '\n' { ' ' } else { it }).collect();
        Some(format!("{line}:{column}:{message}"))
    };
    problems.iter().filter_map(mark).collect::<Vec<_>>().join("\n")
}

fn go_to(area: &NodeRef, scroller: &NodeRef, text: &str, line: u32, column: u32) {
    let Some(area) = area.cast::<HtmlTextAreaElement>() else { return };
    let offset = edit::offset_of(text, line, column) as u32;
    let _ = area.set_selection_range(offset, offset);
    let _ = area.focus();
    if let Some(scroller) = scroller.cast::<Element>() {
        let top = LINE_HEIGHT * f64::from(line.saturating_sub(4));
        scroller.set_scroll_top(top as i32);
    }
}

fn gutter(lines: usize, marks: &BTreeMap<u32, String>) -> Html {
    let number = |line: usize| match marks.get(&(line as u32)) {
        Some(message) => html! {
            <>
                <span class="mark-line" title={message.clone()} data-testid="line-mark">
                    { line }
                </span>
                { "\n" }
            </>
        },
        None => html! { { format!("{line}\n") } },
    };
    html! { <pre class="gutter" aria-hidden="true">{ for (1..=lines).map(number) }</pre> }
}

#[derive(Properties, PartialEq)]
struct ColouredProps {
    text: AttrValue,
}

#[component]
fn Coloured(props: &ColouredProps) -> Html {
    if props.text.split('\n').count() > COLOURED_LINES {
        return html! { <pre class="coloured" aria-hidden="true">{ &props.text }{ "\n" }</pre> };
    }
    let lines = highlight::lines(&props.text);
    let piece = |&(piece, text): &(highlight::Piece, &str)| match piece {
        highlight::Piece::Plain => html! { { text.to_owned() } },
        piece => html! { <span class={piece.class()}>{ text.to_owned() }</span> },
    };
    let line = |pieces: Vec<(highlight::Piece, &str)>| {
        html! { <>{ for pieces.iter().map(piece) }{ "\n" }</> }
    };
    html! { <pre class="coloured" aria-hidden="true">{ for lines.into_iter().map(line) }</pre> }
}

fn text_area(
    text: &AttrValue,
    area: NodeRef,
    strings: &'static Strings,
    send: &Callback<Intent>,
) -> Html {
    let oninput = when(send, |event: InputEvent| {
        let area: HtmlTextAreaElement = event.target()?.dyn_into().ok()?;
        Some(Intent::Edit(area.value().into()))
    });
    let onkeydown = when(send, |event: KeyboardEvent| {
        let intent = key(&event)?;
        event.prevent_default();
        Some(intent)
    });
    html! {
        <textarea ref={area} id="manifest" value={text} {oninput} {onkeydown}
            spellcheck="false" autocomplete="off" autocapitalize="off" wrap="off"
            aria-label={strings.manifest_label} aria-description={strings.editor_keys}
            placeholder={strings.manifest_placeholder}
            data-testid="editor" />
    }
}

/// What a key means; none if the textarea handles it itself. Escape hands the Tab key back to
/// the page by leaving the editor.
fn key(event: &KeyboardEvent) -> Option<Intent> {
    let area: HtmlTextAreaElement = event.target()?.dyn_into().ok()?;
    let command = event.ctrl_key() || event.meta_key();
    let text = area.value();
    let start = area.selection_start().ok()??;
    let end = area.selection_end().ok()??;
    let (from, to) = (start as usize, end as usize);
    let change: Edit = match event.key().as_str() {
        "Enter" if command => return Some(Intent::Apply),
        "Enter" if !event.is_composing() && !event.shift_key() => edit::newline(&text, from, to),
        "Tab" if event.shift_key() => edit::outdent(&text, from, to),
        "Tab" if !command && !event.alt_key() => edit::indent(&text, from, to),
        "Escape" => {
            let _ = area.blur();
            return None;
        }
        _ => return None,
    };
    replace(&area, &change);
    Some(Intent::Edit(area.value().into()))
}

/// Puts an edit into the textarea the way typing does, so that undo knows of it.
fn replace(area: &HtmlTextAreaElement, change: &Edit) {
    let _ = area.set_selection_range(change.from as u32, change.to as u32);
    let document = web_sys::window().and_then(|window| window.document());
    let html = document.and_then(|document| document.dyn_into::<web_sys::HtmlDocument>().ok());
    let typed = html.is_some_and(|html| {
        html.exec_command_with_show_ui_and_value("insertText", false, &change.insert)
            .unwrap_or(false)
    });
    if !typed {
        let _ = area.set_range_text_with_start_and_end(
            &change.insert,
            change.from as u32,
            change.to as u32,
        );
    }
    let _ = area.set_selection_range(change.selection.0 as u32, change.selection.1 as u32);
}

fn outcome(
    result: Option<&CommandResult>,
    jump: &Callback<(u32, u32)>,
    strings: &'static Strings,
) -> Html {
    let Some(result) = result else {
        return html! { <div class="outcome" role="status" data-testid="outcome"></div> };
    };
    let problem = |problem: &Problem| {
        let place = problem.line.map(|line| (line, problem.column.unwrap_or(1)));
        let jump = jump.reform(move |_: MouseEvent| place.unwrap_or((1, 1)));
        html! {
            <li class="problem" data-testid="problem">
                <span class="sign bad" aria-hidden="true">{ "✕" }</span>
                <div>
                    if let Some((line, column)) = place {
                        <button type="button" class="link place" onclick={jump}>
                            { format!("{} {line}:{column}", strings.line) }
                        </button>
                    }
                    <span class="message">{ &problem.message }</span>
                </div>
            </li>
        }
    };
    html! {
        <div class="outcome" role="status" data-testid="outcome"
            data-request={result.id.to_string()}>
            <ul key={result.id}>
                { for result.problems.iter().map(problem) }
                { for result.done.iter().map(done) }
            </ul>
        </div>
    }
}

fn done(object: &AppliedObject) -> Html {
    let word = match object.action {
        Action::Created => "created",
        Action::Configured => "configured",
        Action::Unchanged => "unchanged",
        Action::Deleted => "deleted",
        Action::Scaled => "scaled",
    };
    html! {
        <li class="done" data-testid="done">
            <span class="sign good" aria-hidden="true">{ "✓" }</span>
            <div>
                <span class="message">{ format!("{} {word}", object.title) }</span>
                { for object.warnings.iter().map(|warning| html! {
                    <p class="warning">{ format!("Warning: {warning}") }</p>
                }) }
            </div>
        </li>
    }
}
