/**
 * What two ends say to each other beside the users' messages: the comms to the target `tsushin.session`; the
 * twin of `src/tsushin/profile/control.py`.
 *
 * Each frontend opens one at a kernel end that knows the profile. No handler sees what travels on it, and a
 * plain peer knows neither its id nor its target, so it passes over it.
 *
 * Spec: spec/profile.md, "Sessions". Vectors: spec/vectors/control.
 */
import { RemoteProtocolError, quote } from "../errors.js";
import type { Channel, Header, JsonObject, Message } from "../protocol/messages.js";
import { isJsonObject, newMessage } from "../protocol/messages.js";

export const PROFILE = 1;
export const TARGET = "tsushin.session";
export const FEATURES: readonly string[] = [
  "requests",
  "sequence",
  "cancel",
  "streams",
  "pieces",
  "restore",
];
/** The feature of an end that can have a lane. */
export const LANE = "lane";

const MAX_PORT = 2 ** 16 - 1;

/** Comm id -> number of a message. */
export type Numbers = Readonly<Record<string, number>>;

/** A numbered message that is sent once more. `buffers` says how many of the carrier's are its own. */
export interface Again {
  readonly header: Header;
  readonly parent_header: JsonObject;
  readonly metadata: JsonObject;
  readonly content: JsonObject;
  readonly buffers: number;
}

/** A frontend asks for a lane. */
export interface LaneAsk {
  /** Of its page; "" where it is no page. */
  readonly origin: string;
}

/** How a session gets its lane: once, and soon. */
export interface LaneOffer {
  /** On loopback; 0 where there is no lane. */
  readonly port: number;
  readonly token: string;
}

/** One message on a control comm. It may say several things; what it leaves out it does not say. */
export interface Control {
  /** Version; above 0 in a hello, which has other keys too, `also` among them. */
  readonly profile: number;
  /** What its end knows. */
  readonly features: readonly string[];
  /** Of its end. */
  readonly session: string;
  /** Made anew with each life of its end. */
  readonly epoch: string;
  /** From a page: the same before and after it was loaded again. */
  readonly tab: string;
  /** What a frontend had of the kernel end before its link broke. */
  readonly resume: { readonly epoch: string; readonly seen: Numbers } | null;
  /** False where the kernel end knows nothing of what `resume` says. */
  readonly recovered: boolean;
  /** Comms that its end has open. */
  readonly open: readonly string[];
  /** Number of the last message sent. */
  readonly sent: Numbers;
  /** Number of the last message received, none before it missing. */
  readonly seen: Numbers;
  /** First and last number of what is missing. */
  readonly want: Readonly<Record<string, readonly [number, number]>>;
  /** Number up to which nothing can be sent again. */
  readonly gone: Numbers;
  /** What was wanted; what is for one session, or comes in pieces. */
  readonly again: readonly Again[];
  /** Comms whose open found its target. */
  readonly accepted: readonly string[];
  /** Comms whose open did not. */
  readonly refused: readonly string[];
  /** Comm id and request id of answers that nobody waits for any more. */
  readonly cancel: readonly (readonly [string, string])[];
  /** Comm id, request id, and how many parts of the answer were taken in all. */
  readonly credit: readonly (readonly [string, string, number])[];
  /** Comms that a frontend takes up, where it does not know how they stand. */
  readonly restore: readonly string[];
  /** Number of the last message sent on a comm; what that comes to is in `kept`. */
  readonly restored: Numbers;
  /** Comms that the frontend asked for and cannot take up. */
  readonly withheld: readonly string[];
  /** Of each comm in `restored` its open and what is kept of its messages, in order. */
  readonly kept: readonly Again[];
  /** In a page's hello: other sessions of the same page; they are no plain ones. */
  readonly also: readonly string[];
  /** A frontend would like to have a lane. */
  readonly lane_ask: LaneAsk | null;
  /** The kernel end's answer. */
  readonly lane_offer: LaneOffer | null;
  /** To be answered with `marked`, the same number, at once and by the same route. */
  readonly mark: number;
  /** That answer. */
  readonly marked: number;
}

/** Return the id of the control comm of a frontend's session. */
export function controlId(session: string): string {
  return `${TARGET}.${session}`;
}

/** Say whether a comm id is a control comm's, or the one under which a kernel end says it is here. */
export function isControl(comm_id: unknown): boolean {
  return typeof comm_id === "string" && comm_id.startsWith(TARGET);
}

/** Return what a message on a control comm says. Throws `RemoteProtocolError`: it is malformed. */
export function readControl(message: Message): Control {
  const data = message.content.data ?? {};
  if (!isJsonObject(data)) throw fault("data", "object", data);
  const read = <T>(key: keyof Control, as: As<T>, otherwise: T): T =>
    data[key] === undefined ? otherwise : as(data[key], key);
  return {
    profile: read("profile", number, 0),
    features: read("features", list(text), []),
    session: read("session", text, ""),
    epoch: read("epoch", text, ""),
    tab: read("tab", text, ""),
    resume: read("resume", resume, null),
    recovered: read("recovered", truth, true),
    open: read("open", list(text), []),
    sent: read("sent", record(number), {}),
    seen: read("seen", record(number), {}),
    want: read("want", record(pair(number)), {}),
    gone: read("gone", record(number), {}),
    again: read("again", list(again), []),
    accepted: read("accepted", list(text), []),
    refused: read("refused", list(text), []),
    cancel: read("cancel", list(pair(text)), []),
    credit: read("credit", list(credit), []),
    restore: read("restore", list(text), []),
    restored: read("restored", record(number), {}),
    withheld: read("withheld", list(text), []),
    kept: read("kept", list(again), []),
    also: read("also", list(text), []),
    lane_ask: read("lane_ask", laneAsk, null),
    lane_offer: read("lane_offer", laneOffer, null),
    mark: read("mark", number, 0),
    marked: read("marked", number, 0),
  };
}

/** Return `data` and buffers of a message that brings others: in `again`, or in `kept`. */
export function againData(
  messages: readonly Message[],
  key: "again" | "kept" = "again",
): [JsonObject, Uint8Array[]] {
  const listed = messages.map(({ header, parent_header, metadata, content, buffers }) => {
    return { header, parent_header, metadata, content, buffers: buffers.length };
  });
  return [{ [key]: listed }, messages.flatMap(({ buffers }) => [...buffers])];
}

/**
 * Return the messages that `control` brings, as if they had come by `channel`: those in `again`, and those in
 * `kept`. `buffers` are the carrier's. Throws `RemoteProtocolError`: they do not add up.
 */
export function carried(
  control: Control,
  buffers: readonly Uint8Array[],
  channel: Channel,
): { again: Message[]; kept: Message[] } {
  let first = 0;
  const found = [...control.again, ...control.kept].map(({ header, buffers: count, ...rest }) => {
    const own = buffers.slice(first, first + count);
    first += count;
    return newMessage(channel, header, { ...rest, buffers: own });
  });
  if (first === buffers.length) {
    const count = control.again.length;
    return { again: found.slice(0, count), kept: found.slice(count) };
  }
  const about = `again: expected ${first} buffers in all, got ${buffers.length}`;
  throw new RemoteProtocolError(`${TARGET}: ${about}`);
}

/** Return the number of a user message, or null where it has none (or something else in its place). */
export function numberOf(message: Message): number | null {
  const ours = message.metadata.tsushin;
  const n = isJsonObject(ours) ? ours.n : undefined;
  return typeof n === "number" && Number.isSafeInteger(n) && n > 0 ? n : null;
}

/** Return the session that a numbered message is for; null for all. */
export function addressee(message: Message): string | null {
  const ours = message.metadata.tsushin;
  const to = isJsonObject(ours) ? ours.to : undefined;
  return typeof to === "string" ? to : null;
}

/** Return the message with more in `metadata.tsushin`. */
export function withEntry(message: Message, entry: JsonObject): Message {
  const ours = message.metadata.tsushin;
  const tsushin = { ...(isJsonObject(ours) ? ours : {}), ...entry };
  return { ...message, metadata: { ...message.metadata, tsushin } };
}

/** Return what somebody else may know of a message that is not for them: its number. */
export function withoutBody({ channel, header, metadata, content }: Message): Message {
  const ours = isJsonObject(metadata.tsushin) ? metadata.tsushin : {};
  const entries = Object.entries(ours).filter(([key]) => key === "n" || key === "to");
  return newMessage(channel, header, {
    metadata: { tsushin: Object.fromEntries(entries) },
    content: { comm_id: content.comm_id, data: {} },
  });
}

/** Return what this end is to know of a message that it has no use for: its number. */
export function onlyCounted(message: Message): Message {
  return withEntry(withoutBody(message), { to: "" });
}

/** Return the message as its sender's user made it: without a number, and whom it is for. */
export function withoutNumber(message: Message): Message {
  const { tsushin, ...metadata } = message.metadata;
  const ours = Object.entries(isJsonObject(tsushin) ? tsushin : {}).filter(
    ([key]) => key !== "n" && key !== "to",
  );
  const kept = ours.length > 0 ? { tsushin: Object.fromEntries(ours) } : {};
  return { ...message, metadata: { ...metadata, ...kept } };
}

// ------------------------------------------------------------------ reading

type As<T> = (value: unknown, where: string) => T;

const text: As<string> = (value, where) => {
  if (typeof value !== "string") throw fault(where, "text", value);
  return value;
};

const truth: As<boolean> = (value, where) => {
  if (typeof value !== "boolean") throw fault(where, "true or false", value);
  return value;
};

const number: As<number> = (value, where) => {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw fault(where, "a count", value);
};

function list<T>(as: As<T>): As<T[]> {
  return (value, where) => {
    if (!Array.isArray(value)) throw fault(where, "array", value);
    return value.map((item: unknown, i) => as(item, `${where}[${i}]`));
  };
}

function pair<T>(as: As<T>): As<[T, T]> {
  return (value, where) => {
    if (!Array.isArray(value) || value.length !== 2) throw fault(where, "two items", value);
    return [as(value[0], where), as(value[1], where)];
  };
}

const credit: As<[string, string, number]> = (value, where) => {
  if (!Array.isArray(value) || value.length !== 3) throw fault(where, "three items", value);
  return [text(value[0], where), text(value[1], where), number(value[2], where)];
};

function record<T>(as: As<T>): As<Record<string, T>> {
  return (value, where) => {
    const entries = Object.entries(object(value, where));
    return Object.fromEntries(entries.map(([key, item]) => [key, as(item, `${where}.${key}`)]));
  };
}

const object: As<JsonObject> = (value, where) => {
  if (!isJsonObject(value)) throw fault(where, "object", value);
  return value;
};

const resume: As<Control["resume"]> = (value, where) => {
  if (value === null) return null;
  const { epoch, seen } = object(value, where);
  return { epoch: text(epoch, where), seen: record(number)(seen ?? {}, where) };
};

const laneAsk: As<LaneAsk | null> = (value, where) => {
  if (value === null) return null;
  return { origin: text(object(value, where).origin ?? "", `${where}.origin`) };
};

const laneOffer: As<LaneOffer | null> = (value, where) => {
  if (value === null) return null;
  const { port = 0, token = "" } = object(value, where);
  const offer = { port: number(port, `${where}.port`), token: text(token, `${where}.token`) };
  if (offer.port > MAX_PORT) throw fault(`${where}.port`, "a port", port);
  return offer;
};

const again: As<Again> = (value, where) => {
  const one = object(value, where);
  return {
    header: object(one.header, `${where}.header`) as unknown as Header, // read with `msgType`
    parent_header: object(one.parent_header ?? {}, `${where}.parent_header`),
    metadata: object(one.metadata ?? {}, `${where}.metadata`),
    content: object(one.content, `${where}.content`),
    buffers: number(one.buffers ?? 0, `${where}.buffers`),
  };
};

function fault(where: string, expected: string, got: unknown): RemoteProtocolError {
  return new RemoteProtocolError(
    `${TARGET}: ${where}: expected ${expected}, got ${quote(got ?? null)}`,
  );
}
