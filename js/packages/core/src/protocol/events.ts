/** What the router tells its caller after a message was fed to it. A tagged union: `switch` on `type`. */
import type { RemoteProtocolError } from "../errors.js";
import type { Message } from "./messages.js";

/** The peer opened a comm to a target that is known here. Run the target, or `refuse`. */
export interface Opened {
  readonly type: "opened";
  readonly comm_id: string;
  readonly target_name: string;
  readonly target_module: string | null;
  readonly message: Message;
}

/** A `comm_msg` for an open comm. */
export interface Received {
  readonly type: "received";
  readonly comm_id: string;
  readonly message: Message;
}

/** The peer closed the comm. */
export interface Closed {
  readonly type: "closed";
  readonly comm_id: string;
  readonly message: Message;
}

/** The comm is gone without a `comm_close`. `reason` is for people. */
export interface Lost {
  readonly type: "lost";
  readonly comm_id: string;
  readonly reason: string;
}

/** The message crossed a close on its way: normal, to be counted at most. */
export interface LateMessage {
  readonly type: "late";
  readonly comm_id: string;
  readonly message: Message;
}

/** The message is about a comm this end has no part in: normal at a frontend, odd at a kernel. */
export interface Unknown {
  readonly type: "unknown";
  readonly comm_id: string;
  readonly message: Message;
}

/** The peer broke a rule; nothing changed. Send `error.reply` if it is not null, and report. */
export interface ProtocolFault {
  readonly type: "fault";
  readonly error: RemoteProtocolError;
  readonly message: Message;
}

export type Event = Opened | Received | Closed | Lost | LateMessage | Unknown | ProtocolFault;
