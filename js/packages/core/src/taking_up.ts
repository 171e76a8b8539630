/**
 * Comms that a session takes up which was not there when they were opened: a page loaded again, a second tab; the
 * twin of `src/tsushin/taking_up.py`.
 *
 * At a kernel end: who is given what, and what becomes of comms whose page does not come back. At a frontend: what
 * comes of it.
 *
 * Spec: spec/profile.md, "Taking up".
 */
import type { Comm } from "./comm.js";
import { Expected } from "./expected.js";
import { withEntry } from "./profile/control.js";
import { encodeData } from "./protocol/buffers.js";
import type { CommInfo, CommType, JsonObject, Message } from "./protocol/messages.js";
import type { Runtime } from "./runtime.js";
import type { Sessions } from "./sessions.js";

/** Seconds in which a page may come back for the comms it opened. */
export const CLAIM = 60;
const RESTORE_TIMEOUT = 60; // seconds

/** What is asked of the manager. */
export interface TakingUpHost {
  readonly runtime: Runtime;
  readonly sessions: Sessions;
  readonly comms: ReadonlyMap<string, Comm>;
  /** Handle a comm message. */
  deliver(message: Message): void;
  /** Build a message that no peer has sent. */
  madeUp(msg_type: CommType, about: JsonObject, tsushin: JsonObject): Message;
  /** Open comms of which nothing but id and target is known. */
  restore(comms: CommInfo): string[];
  /** Return those that `restore` would offer. */
  restorable(comms: CommInfo): CommInfo;
}

/** The comms of one manager that sessions take up. */
export class TakingUp {
  readonly #host: TakingUpHost;
  readonly #clock: () => number;
  readonly #gone = new Map<string, number>(); // comm id -> when its page left
  readonly #asked = new Map<string, { wanted: CommInfo; found: Expected<string[]> }>();

  /** `clock` returns the time in seconds. */
  constructor(host: TakingUpHost, clock: () => number) {
    this.#host = host;
    this.#clock = clock;
  }

  // ---------------------------------------------------------------- at a kernel end

  /** A session takes up comms. */
  asked(session: string, comm_ids: readonly string[]): void {
    const { sessions, comms } = this.#host;
    const [ours, withheld]: [Comm[], string[]] = [[], []];
    for (const comm_id of comm_ids) {
      const comm = comms.get(comm_id);
      if (comm === undefined || !this.#mayTake(comm, session)) withheld.push(comm_id);
      else if (comm.primary) ours.push(comm);
      else sessions.reopened(session, this.#opening(comm));
    }
    const ids = ours.map(({ comm_id }) => comm_id);
    sessions.restored(session, ids);
    if (withheld.length > 0) sessions.withhold(session, withheld);
    for (const comm of ours) this.#host.runtime.soon(() => comm._sendSnapshot(session));
  }

  /** Say whether a session may have a comm: the kernel opened it, or a page that was in the same tab. */
  #mayTake(comm: Comm, session: string): boolean {
    const { sessions } = this.#host;
    const opener = openerOf(comm);
    if (comm.primary || opener === session) return true;
    const tab = sessions.tab(session);
    return tab !== "" && tab === sessions.tab(opener) && !sessions.isLive(opener);
  }

  #opening({ comm_id, target_name, open_msg }: Comm): Message {
    const message = this.#host.madeUp("comm_open", { comm_id, target_name }, {});
    if (open_msg === null) return message; // it was adopted
    const { data, metadata, buffers } = encodeData(open_msg.content.data, null, open_msg.buffers);
    return { ...message, content: { ...message.content, data }, metadata, buffers };
  }

  /** A session is gone. Comms that a page of it had opened are closed, unless it comes back. */
  peerLeft(session: string, accepted: readonly string[]): void {
    const { sessions, comms, runtime } = this.#host;
    const had = new Set(accepted);
    const orphans = [...comms.values()].filter(
      (comm) => !comm.primary && (openerOf(comm) === session || had.has(comm.comm_id)),
    );
    if (orphans.length === 0 || !sessions.isKernel) return;
    for (const { comm_id } of orphans) this.#gone.set(comm_id, this.#clock());
    runtime.later(CLAIM, () => this.#closeOrphans());
  }

  #closeOrphans(): void {
    const { sessions, comms } = this.#host;
    const now = this.#clock();
    for (const [comm_id, since] of [...this.#gone]) {
      if (now - since < CLAIM - 1e-3) continue;
      this.#gone.delete(comm_id);
      const comm = comms.get(comm_id);
      if (comm === undefined) continue;
      if (sessions.isLive(openerOf(comm)) || sessions.peers.withOpen(comm_id).length > 0) continue;
      const lost = `the page that opened it is gone for ${CLAIM} s`;
      this.#host.deliver(this.#host.madeUp("comm_close", { comm_id }, { lost }));
    }
  }

  // ---------------------------------------------------------------- at a frontend

  /** Take up comms that the kernel has open; return a promise of the ids of those that were. */
  begin(comms: CommInfo): Promise<string[]> {
    const { sessions } = this.#host;
    const wanted = this.#host.restorable(comms);
    const comm_ids = Object.keys(wanted);
    const found = new Expected<string[]>("how comms stand", { timeout: RESTORE_TIMEOUT });
    if (comm_ids.length === 0 || !sessions.canRestore()) {
      found.settle(this.#host.restore(wanted));
      return found.promise;
    }
    for (const comm_id of comm_ids) this.#asked.set(comm_id, { wanted, found });
    sessions.restore(comm_ids);
    return found.promise;
  }

  /** The kernel end has told how a comm stands, or has not. */
  taken(comm_id: string, messages: readonly Message[] | null): void {
    const { comms } = this.#host;
    const asked = this.#asked.get(comm_id);
    this.#asked.delete(comm_id);
    const about = asked?.wanted[comm_id];
    if (messages !== null && messages.length > 0) {
      const isNew = !comms.has(comm_id);
      for (const message of isNew ? messages : []) {
        this.#host.deliver(withEntry(message, { restored: true }));
      }
    } else if (messages !== null && about !== undefined) {
      this.#host.restore({ [comm_id]: about });
    }
    if (asked === undefined) return;
    const { wanted, found } = asked;
    if ([...this.#asked.values()].some((one) => one.found === found)) return;
    found.settle(Object.keys(wanted).filter((id) => comms.has(id)));
  }

  /** Messages of a comm are lost for good: the kernel end's snapshot of it is wanted. */
  missed(comm_id: string): void {
    const { sessions } = this.#host;
    if (sessions.canRestore()) sessions.restore([comm_id]);
  }
}

/** Return the session that opened a comm; "" where that is not known. */
function openerOf({ open_msg }: Comm): string {
  return open_msg?.header.session ?? "";
}
