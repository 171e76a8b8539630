/**
 * The few members of JupyterLab's objects that are used, as they are in JupyterLab 4.0 to 4.6 and Notebook
 * 7.0 to 7.6. Structural, so that building needs none of its packages; the browser tests hold them against the
 * real ones.
 */
import type { KernelConnection, LabSignal } from "tsushin/hosts";

/** Loads one of the packages that JupyterLab shares. */
export type Load = (name: string) => Promise<Record<string, unknown>>;

/** `ISessionContext`: a document's kernel, whichever that is now. */
export interface SessionContext {
  readonly path: string;
  readonly session: { readonly kernel: KernelConnection | null } | null;
  readonly kernelChanged: LabSignal<unknown, { readonly newValue: KernelConnection | null }>;
  readonly disposed: LabSignal<unknown, unknown>;
}

export interface MimeModel {
  readonly trusted: boolean;
  readonly data: Readonly<Record<string, unknown>>;
}

/** `IRenderMime.IRenderer`, a Lumino widget. */
export interface Renderer {
  readonly node: HTMLElement;
  render(model: MimeModel): Promise<void>;
}

/** `IRenderMimeRegistry`: what a notebook renders its outputs with. */
export interface RenderMime {
  createRenderer(mimeType: string, ...rest: unknown[]): Renderer;
}

/** `IWidgetTracker`: the open notebooks, or consoles. */
export interface Tracker<Panel> {
  readonly currentWidget: Panel | null;
  readonly widgetAdded: LabSignal<unknown, Panel>;
  forEach(visit: (panel: Panel) => void): void;
  find(isWanted: (panel: Panel) => boolean): Panel | undefined;
}

export interface NotebookPanel {
  readonly node: HTMLElement;
  readonly sessionContext: SessionContext;
  readonly content: { readonly rendermime: RenderMime };
}

export interface ConsolePanel {
  readonly sessionContext: SessionContext;
  readonly console: { readonly rendermime: RenderMime };
}

/** `ServerConnection.ISettings`. */
export interface ServerSettings {
  readonly baseUrl: string;
  readonly token: string;
  /** The token goes into the URLs of WebSockets. */
  readonly appendToken: boolean;
}

export interface App {
  readonly serviceManager: { readonly serverSettings: ServerSettings };
}

/** `JupyterFrontEndPlugin`. */
export interface Plugin {
  readonly id: string;
  readonly description: string;
  readonly autoStart: true;
  readonly optional: readonly unknown[];
  activate(app: App, ...services: unknown[]): void;
}
