/**
 * What one end says on control comms: each a comm message of its own, by the peer's lane where it has one; the twin
 * of `src/tsushin/profile/voice.py`.
 *
 * Spec: spec/profile.md, "Sessions".
 */
import type { Channel, Header, JsonObject, Message } from "../protocol/messages.js";
import { newMessage } from "../protocol/messages.js";
import { TARGET } from "./control.js";
import type { Peer, Say } from "./peer.js";
import { peerOf } from "./peer.js";
import type { Routes } from "./routes.js";

export interface VoiceOptions {
  /** What this end sends on. */
  readonly channel: Channel;
  /** Makes the header of a message of a type. */
  readonly newHeader: (msg_type: string, now: number) => Header;
  /** Who is there, by session; the caller's. */
  readonly peers: ReadonlyMap<string, Peer>;
  /** Which way a message goes. */
  readonly routes: Pick<Routes, "sendPlain" | "sendTo">;
}

/** What a control message has beside its data. */
export interface ControlParts {
  readonly msg_type?: string;
  readonly buffers?: readonly Uint8Array[];
}

/** Makes and sends what is said on control comms. */
export class Voice {
  readonly #options: VoiceOptions;

  constructor(options: VoiceOptions) {
    this.#options = options;
  }

  /** Say something that is out of date soon, or was asked for and is asked for again. */
  readonly say: Say = (comm_id, data, now, buffers = []) => {
    this.#send(comm_id, this.message(comm_id, data, now, { buffers }));
  };

  /** Close a control comm. */
  sayGoodbye(comm_id: string, now: number): void {
    this.#send(comm_id, this.message(comm_id, {}, now, { msg_type: "comm_close" }));
  }

  /** Say something by the standard route: the peer's lane may be gone, and only the peer knows. */
  sayBesideLanes(comm_id: string, data: JsonObject, now: number, msg_type = "comm_msg"): void {
    this.#options.routes.sendPlain(this.message(comm_id, data, now, { msg_type }));
  }

  #send(comm_id: string, message: Message): void {
    this.#options.routes.sendTo(peerOf(this.#options.peers, comm_id), message);
  }

  /** Return a message of a control comm. */
  message(comm_id: string, data: JsonObject, now: number, parts: ControlParts = {}): Message {
    const { msg_type = "comm_msg", buffers = [] } = parts;
    const target = msg_type === "comm_open" ? { target_name: TARGET } : {};
    const content = { comm_id, data, ...target };
    const header = this.#options.newHeader(msg_type, now);
    return newMessage(this.#options.channel, header, { content, buffers });
  }
}
