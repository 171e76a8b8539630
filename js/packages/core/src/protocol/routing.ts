/**
 * All comms of one end: who may send, what an arriving message means, what must be answered; the twin of
 * `src/tsushin/protocol/routing.py`.
 *
 * The only place that knows about more than one comm. It is sans-IO: messages and `now_ms` go in, events
 * and messages to send come out. The states are `states.TABLE`; what differs between a kernel and a
 * frontend is data given to the constructor. A driver does, for each message and each call:
 *
 *     router.receive(message, now_ms);
 *     for (const event of router.events()) …       // see events.ts for what each one asks
 *     for (const message of router.messagesToSend()) transport.send(message);
 *
 * Closed ids are remembered (bounded), so that what crossed a close on its way is late and not an error:
 * comms closed here or there, opens that were refused, and other ends' comms whose close was seen, so that a
 * stale `comm_info_reply` does not bring them back.
 * A remembered id is never opened again. An open for it, or above a limit, is a fault that is answered by
 * `comm_close` where the end answers unknown opens, because no good comm can be hurt by that. An open for
 * a *live* id is a fault without an answer: a `comm_close` would close the good comm.
 *
 * Spec: Jupyter messaging, "Custom Messages".
 */
import type { ClosedBy } from "../errors.js";
import {
  CommClosed,
  CommNotOpen,
  DuplicateComm,
  LimitExceeded,
  RemoteProtocolError,
  UnknownTarget,
  quote,
} from "../errors.js";
import type { Event, Opened } from "./events.js";
import type { Limits } from "./limits.js";
import { DEFAULT_LIMITS, checkLimit } from "./limits.js";
import type { Channel, CommType, JsonObject, Message } from "./messages.js";
import { commContent } from "./contents.js";
import { msgType, newHeader, newMessage } from "./messages.js";
import type { Input, State } from "./states.js";
import { advance } from "./states.js";
import { WaitingRoom } from "./waiting.js";

/** What this end does with an open for a target it does not know. */
export type OnUnknown = "close" | "ignore" | "keep";

/** What the router knows of one comm. */
export interface CommRecord {
  readonly comm_id: string;
  readonly target_name: string;
  /** This end sent the `comm_open`. */
  primary: boolean;
  state: State;
  /** Set when `state` becomes CLOSED. */
  closed_by: ClosedBy | null;
  close_data: JsonObject | null;
}

/** Return the record of a comm that is not open yet. */
export function newRecord(comm_id: string, target_name: string, primary: boolean): CommRecord {
  return { comm_id, target_name, primary, state: "UNOPENED", closed_by: null, close_data: null };
}

/** `metadata.tsushin.error` of a `comm_close` that refuses an open. */
export interface CloseReason {
  readonly code: string;
  readonly message: string;
  readonly name?: string;
}

/** What the caller wants sent, checked and encoded. */
export interface Outgoing {
  readonly data: JsonObject;
  readonly metadata?: JsonObject;
  readonly buffers?: readonly Uint8Array[];
  /** Header of the message that caused this one. */
  readonly parent?: JsonObject;
}

export interface RouterOptions {
  /** What this end sends comm messages on: "iopub" for a kernel, "shell" for a frontend. */
  readonly channel: Channel;
  /** The header's `session` of everything sent. */
  readonly session: string;
  /**
   * "close" answers an open for an unknown target with `comm_close`; "ignore" leaves it to others, as a
   * frontend does that attached to a kernel it did not start; "keep" does too, and keeps the comm with its
   * messages (bounded) until the target is registered: see `release`.
   */
  readonly on_unknown: OnUnknown;
  /** Says whether a target name is registered here, now, or can be found by its module. */
  readonly knowsTarget: (target_name: string, target_module: string | null) => boolean;
  /** Makes message ids that are never used twice. */
  readonly newMsgId: () => string;
  readonly limits?: Limits;
  readonly username?: string;
}

/** The comms of one end. */
export class Router {
  readonly channel: Channel;
  readonly #options: RouterOptions;
  readonly #limits: Limits;
  readonly #live = new Map<string, CommRecord>();
  readonly #closed = new Set<string>(); // in the order they closed; no data is kept
  readonly #waiting: WaitingRoom; // used with "keep" only
  #events: Event[] = [];
  #outgoing: Message[] = [];

  constructor(options: RouterOptions) {
    this.channel = options.channel;
    this.#options = options;
    this.#limits = options.limits ?? DEFAULT_LIMITS;
    this.#waiting = new WaitingRoom(this.#limits);
  }

  // ---------------------------------------------------------------- asking

  /** Return what is known of an open comm, or null. */
  record(comm_id: string): CommRecord | null {
    return this.#live.get(comm_id) ?? null;
  }

  /** Return comm id -> target name of every open comm. */
  openComms(): Map<string, string> {
    return new Map([...this.#live.values()].map((record) => [record.comm_id, record.target_name]));
  }

  /** Say whether an id was never heard of here: neither open, nor waiting, nor closed. */
  isNew(comm_id: string): boolean {
    return this.#state(comm_id) === "UNOPENED" && !this.#waiting.has(comm_id);
  }

  /** Take every event there is, in order. Call after each `receive` and `lose`. */
  events(): Event[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  /** Take everything to be sent, in order. Call after each call that acts. */
  messagesToSend(): Message[] {
    const outgoing = this.#outgoing;
    this.#outgoing = [];
    return outgoing;
  }

  // ---------------------------------------------------------------- receiving

  /**
   * Feed one comm message of the peer; any other type is passed over. Never throws for what a peer
   * sent: that becomes a `ProtocolFault`. Call `events` next.
   */
  receive(message: Message, now_ms: number): void {
    try {
      switch (msgType(message) as CommType) {
        case "comm_open":
          this.#receiveOpen(message, commContent(message), now_ms);
          break;
        case "comm_msg":
          this.#receiveForComm(message, commContent(message), "RECV_MSG");
          break;
        case "comm_close":
          this.#receiveForComm(message, commContent(message), "RECV_CLOSE");
          break;
      }
    } catch (error) {
      if (!(error instanceof RemoteProtocolError)) throw error;
      this.#events.push({ type: "fault", error, message });
    }
  }

  /** A target is registered now: receive what waits for it, as if it came now. Call `events` next. */
  release(target_name: string, now_ms: number): void {
    for (const message of this.#waiting.take(target_name)) this.receive(message, now_ms);
  }

  #receiveOpen(message: Message, content: JsonObject, now_ms: number): void {
    const { comm_id, target_name, target_module = null } = content as unknown as OpenContent;
    if (this.#live.has(comm_id) || this.#waiting.has(comm_id)) {
      throw new RemoteProtocolError(
        `comm_open ${quote(comm_id)}: expected a new id, this comm is open`,
      );
    }
    if (this.#closed.has(comm_id)) {
      const about = `expected a new id, comm ${quote(comm_id)} was closed`;
      const reason = { code: RemoteProtocolError.code, message: about };
      const reply = this.#refusal(comm_id, message, reason, now_ms);
      throw new RemoteProtocolError(`comm_open: ${about}`, { reply });
    }
    if (!this.#options.knowsTarget(target_name, target_module)) {
      this.#receiveUnknownTarget(message, comm_id, target_name, now_ms);
      return;
    }
    this.#startReceived(newRecord(comm_id, target_name, false), message, now_ms);
    this.#events.push({ type: "opened", comm_id, target_name, target_module, message });
  }

  #startReceived(record: CommRecord, message: Message, now_ms: number): void {
    try {
      this.#start(record, "RECV_OPEN");
    } catch (error) {
      if (!(error instanceof LimitExceeded)) throw error;
      const reason = { code: error.code, message: error.message };
      error.reply = this.#refusal(record.comm_id, message, reason, now_ms);
      throw error;
    }
  }

  #receiveUnknownTarget(
    message: Message,
    comm_id: string,
    target_name: string,
    now_ms: number,
  ): void {
    switch (this.#options.on_unknown) {
      case "keep":
        this.#waiting.open(comm_id, target_name, message);
        return;
      case "ignore":
        this.#events.push({ type: "unknown", comm_id, message });
        return;
      case "close":
        break;
    }
    const about = `no target ${quote(target_name)} is registered`;
    const reason = { code: UnknownTarget.code, message: about };
    const reply = this.#refusal(comm_id, message, reason, now_ms);
    throw new UnknownTarget(`comm_open: ${about}`, { target_name, reply });
  }

  #receiveForComm(message: Message, content: JsonObject, given: Input): void {
    const comm_id = content.comm_id as string; // checked by commContent, as data is
    if (this.#waiting.has(comm_id)) {
      this.#receiveForWaiting(comm_id, message, given);
      return;
    }
    const record = this.#live.get(comm_id);
    const outcome = advance(this.#state(comm_id), given);
    if (outcome === "CLOSED" && record !== undefined) {
      this.#finish(record, "there", content.data as JsonObject);
      this.#events.push({ type: "closed", comm_id, message });
    } else if (outcome === "OPEN") {
      this.#events.push({ type: "received", comm_id, message });
    } else if (outcome === "late") {
      this.#events.push({ type: "late", comm_id, message });
    } else {
      // Never opened here: somebody else's comm, or one of an earlier life. An adoption may be under way.
      if (given === "RECV_CLOSE") this.rememberClosed(comm_id);
      this.#events.push({ type: "unknown", comm_id, message });
    }
  }

  #state(comm_id: string): State {
    const record = this.#live.get(comm_id);
    return record?.state ?? (this.#closed.has(comm_id) ? "CLOSED" : "UNOPENED");
  }

  #receiveForWaiting(comm_id: string, message: Message, given: Input): void {
    if (given === "RECV_MSG") {
      this.#waiting.put(comm_id, message);
    } else {
      this.#waiting.forget(comm_id); // nobody here has seen it
      this.rememberClosed(comm_id);
    }
  }

  // ---------------------------------------------------------------- sending

  /**
   * Open a comm; return the message's id. Call `messagesToSend` next.
   *
   * Throws `DuplicateComm`: the id is open here, or was. `CommClosed`: this comm was open before.
   * `LimitExceeded`: more than `max_open_comms` would be open, or the id is too long.
   */
  sendOpen(
    record: CommRecord,
    sent: Outgoing,
    now_ms: number,
    target_module: string | null = null,
  ): string {
    this.#start(record, "SEND_OPEN");
    record.primary = true; // whatever was planned when the comm was made
    const { comm_id, target_name } = record;
    const content: JsonObject = { comm_id, target_name, data: sent.data };
    if (target_module !== null) content.target_module = target_module;
    return this.#queue("comm_open", content, sent, now_ms);
  }

  /**
   * Send on an open comm; return the message's id. Call `messagesToSend` next.
   *
   * Throws `CommClosed`, with the data of the close, or `CommNotOpen`.
   */
  sendMsg(record: CommRecord, sent: Outgoing, now_ms: number): string {
    nextState(record, "SEND_MSG");
    return this.#queue("comm_msg", { comm_id: record.comm_id, data: sent.data }, sent, now_ms);
  }

  /** Close an open comm; return the message's id. Call `messagesToSend` next. Throws as `sendMsg`. */
  sendClose(record: CommRecord, sent: Outgoing, now_ms: number): string {
    nextState(record, "SEND_CLOSE");
    this.#finish(record, "here", null);
    return this.#queue("comm_close", { comm_id: record.comm_id, data: sent.data }, sent, now_ms);
  }

  /**
   * Close a comm the peer just opened, because its target could not run. Does nothing where the target
   * closed it itself. Call `messagesToSend` next.
   */
  refuse(opened: Opened, reason: CloseReason, now_ms: number): void {
    const record = this.#live.get(opened.comm_id);
    if (record === undefined) return;
    this.#finish(record, "here", null);
    this.#outgoing.push(this.#closeMessage(opened.comm_id, opened.message, reason, now_ms));
  }

  /**
   * Take over a comm that is open at the peer, without sending anything. A `comm_info_reply` (shell) and
   * a `comm_close` (iopub) are not ordered relative to each other, so the remembered closes are looked
   * at first. Throws as `sendOpen`.
   */
  adopt(record: CommRecord): void {
    this.#start(record, "ADOPT");
  }

  /** Drop a comm without telling the peer or remembering its id; it counts as closed here. */
  forget(record: CommRecord): void {
    if (this.#live.get(record.comm_id) === record) this.#live.delete(record.comm_id);
    record.state = "CLOSED";
    record.closed_by = "here";
  }

  /** Remember the id of a comm that is closed, ours or not: what arrives for it is late. */
  rememberClosed(comm_id: string): void {
    if (Array.from(comm_id).length > this.#limits.max_comm_id_chars) return;
    this.#closed.add(comm_id);
    if (this.#closed.size <= this.#limits.max_closed_ids) return;
    for (const oldest of this.#closed) {
      this.#closed.delete(oldest);
      return;
    }
  }

  /** The kernel or the link is gone: every open comm is lost. Call `events` next. */
  lose(reason: string): void {
    for (const record of [...this.#live.values()]) {
      this.#finish(record, "lost", null);
      this.#events.push({ type: "lost", comm_id: record.comm_id, reason });
    }
    this.#closed.clear();
    this.#waiting.clear();
  }

  // ---------------------------------------------------------------- inside

  #start(record: CommRecord, given: Input): void {
    const state = nextState(record, given);
    const { comm_id } = record;
    const known = this.#state(comm_id);
    if (known !== "UNOPENED") {
      const about = `comm ${quote(comm_id)}: expected a new id, this one is ${known}`;
      throw new DuplicateComm(about, { comm_id });
    }
    checkLimit(this.#limits, "max_comm_id_chars", Array.from(comm_id).length, "comm_id");
    checkLimit(this.#limits, "max_open_comms", this.#live.size + 1);
    record.state = state;
    this.#live.set(comm_id, record);
    this.#waiting.forget(comm_id); // taken over by `adopt`
  }

  #finish(record: CommRecord, closed_by: ClosedBy, data: JsonObject | null): void {
    record.state = "CLOSED";
    record.closed_by = closed_by;
    record.close_data = data;
    this.#live.delete(record.comm_id);
    this.rememberClosed(record.comm_id);
  }

  #refusal(comm_id: string, message: Message, reason: CloseReason, now_ms: number): Message | null {
    if (this.#options.on_unknown !== "close") return null;
    this.rememberClosed(comm_id);
    return this.#closeMessage(comm_id, message, reason, now_ms);
  }

  /** Build the `comm_close` that refuses `message`: empty data, the reason in metadata. */
  #closeMessage(comm_id: string, message: Message, reason: CloseReason, now_ms: number): Message {
    const metadata = { tsushin: { error: reason } };
    const sent: Outgoing = { data: {}, metadata, parent: { ...message.header } };
    return this.#message("comm_close", { comm_id, data: {} }, sent, now_ms);
  }

  #queue(msg_type: CommType, content: JsonObject, sent: Outgoing, now_ms: number): string {
    const message = this.#message(msg_type, content, sent, now_ms);
    this.#outgoing.push(message);
    return message.header.msg_id;
  }

  #message(msg_type: CommType, content: JsonObject, sent: Outgoing, now_ms: number): Message {
    const { session, username = "", newMsgId } = this.#options;
    const header = newHeader(msg_type, { msg_id: newMsgId(), session, now_ms, username });
    const { parent: parent_header = {}, metadata = {}, buffers = [] } = sent;
    return newMessage(this.channel, header, { parent_header, metadata, content, buffers });
  }
}

/** What `commContent` has checked of a `comm_open`. */
interface OpenContent {
  comm_id: string;
  target_name: string;
  target_module?: string | null;
}

/** Return the state after `given`, or throw why this end may not do that now. */
function nextState(record: CommRecord, given: Input): State {
  const outcome = advance(record.state, given);
  if (outcome !== null && outcome !== "late") return outcome;
  const { comm_id, target_name, closed_by } = record;
  const what = `comm ${quote(comm_id)} on target ${quote(target_name)}: ${given}`;
  if (record.state === "UNOPENED") throw new CommNotOpen(`${what} before it was opened`);
  if (record.state === "OPEN") throw new DuplicateComm(`${what} while it is open`, { comm_id });
  const data = record.close_data ?? {};
  throw new CommClosed(`${what} after it was closed (${String(closed_by)})`, { closed_by, data });
}
