/**
 * Jupyter messages as values; the twin of `src/tsushin/protocol/messages.py`.
 *
 * A `Message` is what every wire produces and every transport moves. Nothing here looks at a clock or
 * makes an id: `now_ms` and `msg_id` come from the caller.
 *
 * Spec: Jupyter messaging, "General Message Format".
 */
export type JsonObject = Record<string, unknown>;

export type Channel = "shell" | "iopub" | "control" | "stdin";
export const CHANNELS: readonly Channel[] = ["shell", "iopub", "control", "stdin"];

export const PROTOCOL_VERSION = "5.4";
export const COMM_TYPES: readonly string[] = ["comm_open", "comm_msg", "comm_close"];

/** A message header as it is on the wire. */
export interface Header {
  readonly msg_id: string;
  readonly msg_type: string;
  readonly session: string;
  readonly username: string;
  readonly date: string;
  readonly version: string;
  readonly subshell_id?: string | null;
}

/** One Jupyter message on one channel. */
export interface Message {
  readonly channel: Channel;
  /** A message from a peer may lack keys: read with `msgType` and `sessionOf`. */
  readonly header: Header;
  /** The header of the message that caused this one, or `{}`. */
  readonly parent_header: JsonObject;
  readonly metadata: JsonObject;
  readonly content: JsonObject;
  /** Binary attachments: byte views, not copied from the frame they came in. */
  readonly buffers: readonly Uint8Array[];
  /** ZMQ routing frames, in order; empty on every other wire. */
  readonly identities: readonly Uint8Array[];
}

/** The content of each comm message, by `msg_type`. */
export interface CommContents {
  comm_open: {
    comm_id: string;
    target_name: string;
    target_module?: string | null;
    data: JsonObject;
  };
  comm_msg: { comm_id: string; data: JsonObject };
  comm_close: { comm_id: string; data: JsonObject };
}

export type CommType = keyof CommContents;

/** A message as user handlers get it: the shape ipykernel, jupyter_client and JupyterLab use. */
export interface ClassicMessage<T extends string = string, C = JsonObject> {
  readonly header: Header;
  readonly msg_id: string;
  readonly msg_type: T;
  readonly parent_header: JsonObject;
  readonly metadata: JsonObject;
  readonly content: C;
  readonly buffers: readonly Uint8Array[];
}

export type OpenMessage = ClassicMessage<"comm_open", CommContents["comm_open"]>;
export type MsgMessage = ClassicMessage<"comm_msg", CommContents["comm_msg"]>;
export type CloseMessage = ClassicMessage<"comm_close", CommContents["comm_close"]>;

/** Any comm message, told apart by `msg_type`. */
export type CommMessage = OpenMessage | MsgMessage | CloseMessage;

/** Open comms as a `comm_info_reply` lists them: comm id -> its target. */
export type CommInfo = Record<string, { target_name: string }>;

/** Tell whether `value` is a JSON object: neither null, nor an array, nor a scalar. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Return the header's `msg_type`, or "" where a peer left it out. */
export function msgType(message: Message): string {
  return text(message.header.msg_type);
}

/** Return the header's `session`: which client process sent this, or "". */
export function sessionOf(message: Message): string {
  return text(message.header.session);
}

/** Build a header. `now_ms` is in milliseconds since 1970, UTC. */
export function newHeader(
  msg_type: string,
  facts: { msg_id: string; session: string; now_ms: number; username?: string },
): Header {
  return {
    msg_id: facts.msg_id,
    msg_type,
    session: facts.session,
    username: facts.username ?? "",
    date: new Date(facts.now_ms).toISOString(),
    version: PROTOCOL_VERSION,
  };
}

/** Build a message; what is left out is empty. */
export function newMessage(
  channel: Channel,
  header: Header,
  rest: Partial<Omit<Message, "channel" | "header">> = {},
): Message {
  return {
    channel,
    header,
    parent_header: rest.parent_header ?? {},
    metadata: rest.metadata ?? {},
    content: rest.content ?? {},
    buffers: rest.buffers ?? [],
    identities: rest.identities ?? [],
  };
}

/** Return the message as handlers get it; nothing is copied. */
export function toClassic(message: Message): ClassicMessage {
  const { header, parent_header, metadata, content, buffers } = message;
  const msg_id = text(header.msg_id);
  return { header, msg_id, msg_type: msgType(message), parent_header, metadata, content, buffers };
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
