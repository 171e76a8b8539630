/** A code editor in the page's colours. */
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import {
  HighlightStyle,
  bracketMatching,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from "@codemirror/language";
import { javascript, javascriptLanguage } from "@codemirror/lang-javascript";
import { python } from "@codemirror/lang-python";
import { EditorState, StateEffect, StateField, type Extension } from "@codemirror/state";
import {
  Decoration,
  EditorView,
  drawSelection,
  highlightSpecialChars,
  keymap,
  lineNumbers,
  type DecorationSet,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { CellName } from "../flows.js";

const colors = HighlightStyle.define([
  { tag: tags.comment, color: "var(--ink-3)" },
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword], color: "var(--code-keyword)" },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null, tags.self], color: "var(--code-number)" },
  {
    tag: [tags.function(tags.definition(tags.variableName)), tags.className],
    color: "var(--code-name)",
  },
  { tag: tags.meta, color: "var(--code-meta)" },
  { tag: tags.escape, color: "var(--code-number)" },
]);

const look = EditorView.theme({
  "&": { height: "100%", fontSize: "12.5px", color: "var(--ink)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "18px", overscrollBehavior: "contain" },
  ".cm-content": { padding: "8px 0", caretColor: "var(--end)" },
  ".cm-line": { padding: "0 16px 0 8px" },
  ".cm-gutters": { background: "var(--sunken)", border: "none", color: "var(--ink-3)" },
  ".cm-lineNumbers .cm-gutterElement": {
    minWidth: "38px",
    padding: "0 8px 0 14px",
  },
  ".cm-cursor": { borderLeftColor: "var(--end)", borderLeftWidth: "2px" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground":
    {
      background: "color-mix(in oklab, var(--end) 22%, transparent)",
    },
  ".cm-matchingBracket": { background: "var(--end-wash)", outline: "1px solid var(--end)" },
  ".cm-faultLine": { background: "var(--fault-wash)", boxShadow: "inset 3px 0 var(--fault)" },
});

const setFaultLine = StateEffect.define<number | null>();
const faultLine = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(marks, transaction) {
    for (const effect of transaction.effects) {
      if (effect.is(setFaultLine)) return lineMark(transaction.state, effect.value);
    }
    return transaction.docChanged ? Decoration.none : marks;
  },
  provide: (field) => EditorView.decorations.from(field),
});

function lineMark(state: EditorState, line: number | null): DecorationSet {
  if (line === null || line < 1 || line > state.doc.lines) return Decoration.none;
  return Decoration.set(
    Decoration.line({ class: "cm-faultLine" }).range(state.doc.line(line).from),
  );
}

/** Make the state of an editor for one text; keep it to keep what the user typed and their undo. */
export function editorState(name: CellName, text: string, run: () => void): EditorState {
  const runs = (): boolean => {
    run();
    return true;
  };
  const language: Extension =
    name === "python" ? [python(), indentUnit.of("    ")] : [javascript(), indentUnit.of("  ")];
  return EditorState.create({
    doc: text,
    extensions: [
      keymap.of([
        { key: "Shift-Enter", run: runs },
        { key: "Mod-Enter", run: runs },
        { key: "Ctrl-Enter", run: runs },
      ]),
      keymap.of([...defaultKeymap, ...historyKeymap, indentWithTab]),
      [lineNumbers(), highlightSpecialChars(), history(), drawSelection(), bracketMatching()],
      [indentOnInput(), syntaxHighlighting(colors), look, faultLine],
      language,
      EditorView.contentAttributes.of({
        tabindex: "0",
        "aria-label": `${name === "python" ? "Python" : "JavaScript"} code; Shift and Enter run it, Escape then Tab leaves`,
      }),
    ],
  });
}

/** Mark the line an error is in (1-based), or none. The mark goes with the next edit. */
export function markFaultLine(view: EditorView, line: number | null): void {
  view.dispatch({ effects: setFaultLine.of(line) });
}

/** Find where JavaScript stops being JavaScript; engines do not say it. Null where nothing is wrong. */
export function syntaxFault(code: string): { line: number; column: number } | null {
  const at = firstFaultIn(code);
  if (at === null) return null;
  const before = code.slice(0, at).split("\n");
  return { line: before.length, column: (before.at(-1) ?? "").length + 1 };
}

function firstFaultIn(code: string): number | null {
  let first: number | null = null;
  javascriptLanguage.parser.parse(code).iterate({
    enter: ({ type, from }) => {
      if (type.isError) first ??= from;
    },
  });
  return first;
}

/** Replace the whole text, as one step that can be undone. */
export function replaceText(view: EditorView, text: string): void {
  view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
}
