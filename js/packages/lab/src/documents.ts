/** The documents of this window, each with its kernel: found by the session context that its views share. */
import type { DocumentKernel } from "tsushin/hosts";
import type { RenderMime, SessionContext, Tracker } from "./types.js";
import { runScriptsWith } from "./renderer.js";
import type { RunScript } from "./renderer.js";

/** What a document has of ours. */
export interface Document {
  readonly kernel: DocumentKernel;
  readonly run: RunScript;
}

/** A notebook or a console: what shows a document. */
interface View {
  readonly sessionContext: SessionContext;
}

export class Documents {
  readonly #open = new WeakMap<SessionContext, Document>();
  readonly #make: (context: SessionContext) => Document;

  constructor(make: (context: SessionContext) => Document) {
    this.#make = make;
  }

  /** Bind every view of a kind, now and later: its scripts run at its document's kernel. */
  bindAll<Panel extends View>(
    tracker: Tracker<Panel>,
    rendermime: (panel: Panel) => RenderMime,
  ): void {
    const bind = (panel: Panel) =>
      runScriptsWith(rendermime(panel), this.#of(panel.sessionContext).run);
    tracker.forEach(bind);
    tracker.widgetAdded.connect((_sender, panel) => bind(panel));
  }

  /** Return `Jupyter` of a document, or undefined where it is not bound. */
  jupyter(context: SessionContext): DocumentKernel["jupyter"] | undefined {
    return this.#open.get(context)?.kernel.jupyter;
  }

  /** A second view of a notebook shares its context, and so its kernel. */
  #of(context: SessionContext): Document {
    const known = this.#open.get(context);
    if (known !== undefined) return known;
    const made = this.#make(context);
    this.#open.set(context, made);
    const { kernel } = made;
    kernel.connect(context.session?.kernel ?? null);
    context.kernelChanged.connect((_sender, { newValue }) => kernel.connect(newValue));
    context.disposed.connect(() => kernel.dispose());
    return made;
  }
}
