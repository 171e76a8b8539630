/**
 * Who gets a `comm_open` that arrives on JupyterLab's connection: its own registry, or ours.
 *
 * JupyterLab closes every comm whose target is not in its registry, at once, and starts a subshell thread in
 * the kernel for it. Ours are kept until somebody registers the target, so it must not see them. What a
 * widget library has registered with JupyterLab stays entirely JupyterLab's.
 *
 * There is no public way to say that. This file is the only one that touches private members:
 * `_targetRegistry`, `_handleCommOpen`, `_handleCommClose` (present in `@jupyterlab/services` 7.0 to 7.6). Where
 * they are missing, the public `registerCommTarget` is used for names that are registered here: then an
 * open that comes before its target is registered is closed by JupyterLab, as it is without us.
 */
import type { KernelConnection, LabComm, LabMessage } from "./lab_types.js";

type Handler = (msg: LabMessage) => Promise<void>;

interface Private {
  _targetRegistry: Record<string, unknown>;
  _handleCommOpen: Handler;
  _handleCommClose: Handler;
}

/** What we have, as our manager knows it. */
export interface OurComms {
  /** Say whether a target is registered with us. */
  isRegistered(target_name: string): boolean;
  /** Say whether a comm is, or was, one of ours. */
  knows(comm_id: string): boolean;
}

/** The part of JupyterLab's connection that we and JupyterLab share. */
export class SharedComms {
  readonly #connection: KernelConnection;
  readonly #private: Private | null;
  readonly #ours: OurComms;

  constructor(connection: KernelConnection, ours: OurComms) {
    this.#connection = connection;
    this.#ours = ours;
    this.#private = asPrivate(connection);
    if (this.#private !== null) this.#hideOurs(this.#private);
  }

  /** Say whether a target is registered with JupyterLab; false where that cannot be known. */
  isForeign(target_name: string): boolean {
    return this.#private !== null && Object.hasOwn(this.#private._targetRegistry, target_name);
  }

  /** Say whether a `comm_open` is for us. Call for each one, before JupyterLab handles it. */
  claims(target_name: string, target_module: unknown): boolean {
    if (this.#private !== null) return target_module != null || !this.isForeign(target_name);
    if (this.#ours.isRegistered(target_name)) this.#quieten(target_name);
    return true;
  }

  /** Give the connection back its own methods. */
  dispose(): void {
    if (this.#private === null) return;
    const own = this.#private as Partial<Private>;
    delete own._handleCommOpen; // those of its class come to light again
    delete own._handleCommClose;
  }

  /** JupyterLab handles a message after we have: by then our manager knows of the comm. */
  #hideOurs(connection: Private): void {
    const { _handleCommOpen: open, _handleCommClose: close } = connection;
    connection._handleCommOpen = async (msg) => {
      if (!this.#ours.knows(commId(msg))) await open.call(connection, msg);
    };
    // JupyterLab logs an error about a close of a comm it does not know.
    connection._handleCommClose = async (msg) => {
      if (!this.#ours.knows(commId(msg))) await close.call(connection, msg);
    };
  }

  /** Let JupyterLab make a comm of its own that does nothing, without a subshell. */
  #quieten(target_name: string): void {
    this.#connection.registerCommTarget(target_name, (comm: LabComm) => {
      void comm.subshellStarted?.then(() => {
        comm.commsOverSubshells = "disabled";
      });
    });
  }
}

function asPrivate(connection: KernelConnection): Private | null {
  const { _targetRegistry, _handleCommOpen, _handleCommClose } =
    connection as unknown as Partial<Private>;
  const isKnown =
    typeof _targetRegistry === "object" &&
    typeof _handleCommOpen === "function" &&
    typeof _handleCommClose === "function";
  return isKnown ? (connection as unknown as Private) : null;
}

function commId(msg: LabMessage): string {
  return String((msg.content as { comm_id?: unknown }).comm_id);
}
