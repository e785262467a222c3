// CodeMirror over the page's textarea. The textarea stays the one thing that the rest of the page
// knows: what is typed here is written there, what is written there is shown here, and whoever
// moves the focus there arrives here. Without this file the textarea works alone.
//
// The page says `sync` to the textarea after it drew it; `data-marks` of the host then holds the
// problems that the API server found, one a line: LINE:COLUMN:MESSAGE.

import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, HighlightStyle, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, Prec } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
  placeholder,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { StyleModule } from "style-mod";

/** Above this many characters the textarea is told after a pause, not at every keystroke. */
const LARGE = 50_000;
const PAUSE_MS = 300;

// CodeMirror's styles as a constructed sheet: the page allows no inline style elements.
const sheets = {
  ownerDocument: document,
  get adoptedStyleSheets() {
    return document.adoptedStyleSheets;
  },
  set adoptedStyleSheets(list) {
    document.adoptedStyleSheets = list;
  },
};
const mount = StyleModule.mount;
StyleModule.mount = (root, modules, options) =>
  mount.call(StyleModule, root === document ? sheets : root, modules, options);

const CHINESE = {
  "Find": "查找",
  "Replace": "替换",
  "next": "下一个",
  "previous": "上一个",
  "all": "全部",
  "match case": "区分大小写",
  "by word": "全字匹配",
  "regexp": "正则表达式",
  "replace": "替换",
  "replace all": "全部替换",
  "close": "关闭",
  "current match": "当前匹配",
  "replaced $ matches": "已替换 $ 处匹配",
  "replaced match on line $": "已替换第 $ 行的匹配",
  "on line": "位于行",
  "Go to line": "转到行",
  "go": "转到",
  "Diagnostics": "问题",
  "No diagnostics": "没有问题",
  "Control character": "控制字符",
  "Selection deleted": "已删除所选内容",
};

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName), tags.labelName], color: "var(--code-key)" },
  { tag: [tags.string, tags.content, tags.special(tags.string)], color: "var(--code-text)" },
  { tag: [tags.number, tags.bool, tags.null, tags.keyword, tags.typeName], color: "var(--code-value)" },
  { tag: [tags.meta, tags.separator, tags.punctuation], color: "var(--code-comment)" },
  { tag: tags.comment, color: "var(--code-comment)", fontStyle: "italic" },
]);

const look = EditorView.theme({
  "&": { height: "100%", color: "var(--ink)", backgroundColor: "var(--raised)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { font: "inherit", overflow: "auto" },
  ".cm-content": { padding: "10px 0 24px", caretColor: "var(--ink)" },
  ".cm-line": { padding: "0 16px 0 6px" },
  ".cm-cursor": { borderLeftColor: "var(--ink)", borderLeftWidth: "2px" },
  ".cm-gutters": { backgroundColor: "var(--raised)", color: "var(--ink-soft)", border: "none" },
  ".cm-lineNumbers .cm-gutterElement": { minWidth: "28px", padding: "0 6px 0 2px" },
  ".cm-gutter-lint": { width: "16px" },
  ".cm-gutter-lint .cm-gutterElement": { padding: "3px 1px" },
  ".cm-lint-marker": { width: "14px", height: "14px" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--accent) 6%, transparent)" },
  ".cm-activeLineGutter": { backgroundColor: "transparent", color: "var(--ink)" },
  "& > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground":
    { backgroundColor: "color-mix(in srgb, var(--accent) 28%, transparent)" },
  ".cm-selectionMatch": { backgroundColor: "color-mix(in srgb, var(--accent) 16%, transparent)" },
  ".cm-searchMatch": { backgroundColor: "color-mix(in srgb, var(--state-not-ready) 28%, transparent)" },
  ".cm-searchMatch-selected": { outline: "2px solid var(--accent)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--accent-pale)", outline: "1px solid var(--accent)" },
  "&.cm-focused .cm-nonmatchingBracket": { backgroundColor: "transparent", outline: "1px solid var(--state-failed)" },
  ".cm-placeholder": { color: "var(--ink-soft)", fontFamily: "var(--sans)", whiteSpace: "pre-wrap", width: "240px" },
  ".cm-panels": { backgroundColor: "var(--panel)", color: "var(--ink)" },
  ".cm-panels.cm-panels-top": { borderBottom: "1px solid var(--line)" },
  ".cm-panel.cm-search": { padding: "6px 28px 6px 8px", fontFamily: "var(--sans)", fontSize: "13px" },
  ".cm-panel.cm-search label": { fontSize: "12px" },
  ".cm-textfield": { backgroundColor: "var(--raised)", border: "1px solid var(--line-strong)", borderRadius: "6px", fontSize: "13px" },
  ".cm-button": { background: "var(--raised)", backgroundImage: "none", border: "1px solid var(--line-strong)", borderRadius: "6px", fontSize: "12px", color: "var(--ink)" },
  ".cm-panel.cm-search [name=close]": { color: "var(--ink)", width: "24px", height: "24px" },
  ".cm-tooltip": { backgroundColor: "var(--raised)", border: "1px solid var(--line)", borderRadius: "6px", maxWidth: "min(440px, 90vw)" },
  ".cm-diagnostic": { fontFamily: "var(--sans)", fontSize: "12px", whiteSpace: "pre-wrap", overflowWrap: "anywhere" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--state-failed)" },
});

/** The problems in `data-marks`, as CodeMirror wants them. */
function diagnostics(doc, marks) {
  return marks.split("\n").flatMap((mark) => {
    const found = /^(\d+):(\d+):(.*)$/.exec(mark);
    if (!found || Number(found[1]) > doc.lines) return [];
    const line = doc.line(Math.max(1, Number(found[1])));
    const start = Math.min(line.from + Math.max(0, Number(found[2]) - 1), line.to);
    // From where the server points to the line's end, without what only indents it.
    const from = start + doc.sliceString(start, line.to).search(/\S|$/);
    return [{ from, to: line.to, severity: "error", message: found[3] }];
  }).sort((left, right) => left.from - right.from);
}

/** Puts the editor over a textarea, into the element beside it that is meant for it. */
export function enhance(area, host) {
  const words = new Compartment();
  const inWords = () => [
    EditorState.phrases.of(document.documentElement.lang.startsWith("zh") ? CHINESE : {}),
    placeholder(area.placeholder),
    EditorView.contentAttributes.of({
      "aria-label": area.ariaLabel ?? "",
      "aria-description": area.getAttribute("aria-description") ?? "",
      spellcheck: "false",
      tabindex: "0",
    }),
  ];

  let timer = 0;
  /** Whether the textarea has not been told yet. */
  const isAhead = () => timer !== 0;
  const tell = () => {
    clearTimeout(timer);
    timer = 0;
    const text = view.state.doc.toString();
    if (area.value === text) return;
    area.value = text;
    area.dispatchEvent(new InputEvent("input", { bubbles: true }));
  };
  const changed = (state) => {
    clearTimeout(timer);
    timer = setTimeout(tell, PAUSE_MS);
    if (state.doc.length < LARGE) tell();
  };
  const apply = () => {
    tell();
    const enter = { key: "Enter", ctrlKey: true, bubbles: true, cancelable: true };
    area.dispatchEvent(new KeyboardEvent("keydown", enter));
    return true;
  };
  const leave = (view) => {
    if (view.state.selection.ranges.length > 1) return false;
    view.contentDOM.blur();
    return true;
  };

  const view = new EditorView({
    parent: host,
    state: EditorState.create({
      doc: area.value,
      extensions: [
        Prec.highest(keymap.of([{ key: "Mod-Enter", run: apply }])),
        lineNumbers(),
        lintGutter(),
        history(),
        drawSelection(),
        highlightActiveLine(),
        highlightActiveLineGutter(),
        highlightSelectionMatches(),
        bracketMatching(),
        search({ top: true }),
        EditorState.tabSize.of(2),
        indentUnit.of("  "),
        yaml(),
        syntaxHighlighting(colours),
        keymap.of([
          ...searchKeymap,
          { key: "Escape", run: leave },
          ...historyKeymap,
          ...lintKeymap,
          ...defaultKeymap,
          indentWithTab,
        ]),
        look,
        words.of(inWords()),
        EditorView.updateListener.of((update) => {
          if (update.docChanged && !update.transactions.some((it) => it.isUserEvent("sync"))) {
            changed(update.state);
          }
        }),
        EditorView.domEventHandlers({ blur: () => { if (isAhead()) tell(); } }),
      ],
    }),
  });

  let marks = "";
  const sync = () => {
    if (!isAhead() && area.value !== view.state.doc.toString()) {
      // The line breaks of a textarea are single characters already.
      const changes = { from: 0, to: view.state.doc.length, insert: area.value };
      view.dispatch({ changes, userEvent: "sync" });
    }
    if (host.dataset.marks !== marks) {
      marks = host.dataset.marks ?? "";
      const found = diagnostics(view.state.doc, marks);
      view.dispatch(setDiagnostics(view.state, found));
      if (found.length > 0) view.dispatch({ effects: EditorView.scrollIntoView(found[0].from, { y: "center" }) });
    }
  };
  area.addEventListener("sync", sync);

  /** The focus arrived at the textarea: on to the editor, with what is selected. */
  const arrive = () => {
    const { selectionStart: anchor, selectionEnd: head } = area;
    const most = view.state.doc.length;
    view.focus();
    view.dispatch({
      selection: { anchor: Math.min(anchor, most), head: Math.min(head, most) },
      scrollIntoView: true,
    });
  };
  const hadFocus = document.activeElement === area;
  area.addEventListener("focus", arrive);
  const observer = new MutationObserver(() => view.dispatch({ effects: words.reconfigure(inWords()) }));
  observer.observe(area, { attributes: true, attributeFilter: ["placeholder", "aria-label"] });

  area.tabIndex = -1;
  area.setAttribute("aria-hidden", "true");
  area.dispatchEvent(new Event("enhanced"));
  sync();
  if (hadFocus) arrive();
}
