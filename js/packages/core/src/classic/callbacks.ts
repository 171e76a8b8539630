/**
 * The `callbacks` argument of the classic API: functions for what answers one sent message.
 *
 * A request is done with its reply and "idle"; a comm message has no reply, so it is done with "idle"
 * unless a reply is asked for. Kernels that never say "idle" make nothing grow: the oldest are forgotten.
 */
import type { Frontend } from "../frontend/frontend.js";
import type { Watcher } from "../frontend/requests.js";
import type { JsonObject, Message } from "../protocol/messages.js";
import { isJsonObject, msgType } from "../protocol/messages.js";
import { pageMessageOf } from "./pages.js";
import type { Callbacks } from "./types.js";

const MAX_WATCHED = 1000; // messages; a page that animates sends 60 a second

const IOPUB = new Map<string, keyof NonNullable<Callbacks["iopub"]>>([
  ["status", "status"],
  ["clear_output", "clear_output"],
  ["execute_input", "input"],
  ["stream", "output"],
  ["display_data", "output"],
  ["update_display_data", "output"],
  ["execute_result", "output"],
  ["error", "output"],
]);

/** What one page waits for, bounded. */
export class CallbackRegistry {
  readonly #frontend: Frontend;
  readonly #watched = new Set<string>();

  constructor(frontend: Frontend) {
    this.#frontend = frontend;
  }

  /** Call `callbacks` for what answers the comm message `msg_id`. */
  watch(msg_id: string, callbacks: Callbacks | null | undefined): void {
    if (callbacks == null) return;
    this.#frontend.watch(msg_id, this.#watcher(callbacks, callbacks.shell?.reply !== undefined));
    this.#keep(msg_id);
  }

  /** Send a message on shell; what answers it goes to `callbacks`. Returns its `msg_id`. */
  request(
    msg_type: string,
    content: JsonObject,
    callbacks: Callbacks,
    attached: { metadata?: JsonObject; buffers?: readonly Uint8Array[] } = {},
  ): string {
    const watcher = this.#watcher(callbacks, msg_type.endsWith("_request"));
    const msg_id = this.#frontend.request("shell", msg_type, content, watcher, attached);
    this.#keep(msg_id);
    return msg_id;
  }

  #watcher(callbacks: Callbacks, hasReply: boolean): Watcher {
    const due = { reply: hasReply, idle: true };
    return {
      message: (message) => {
        if (message.channel === "shell") due.reply = false;
        if (msgType(message) === "status" && message.content.execution_state === "idle") {
          due.idle = false;
        }
        const { msg_id } = message.parent_header;
        if (!due.reply && !due.idle) this.#forget(String(msg_id));
        dispatch(callbacks, message);
      },
      end: () => undefined, // the frontend has forgotten every watcher by then
    };
  }

  #keep(msg_id: string): void {
    this.#watched.add(msg_id);
    if (this.#watched.size <= MAX_WATCHED) return;
    for (const oldest of this.#watched) {
      this.#forget(oldest);
      return;
    }
  }

  #forget(msg_id: string): void {
    this.#watched.delete(msg_id);
    this.#frontend.forget(msg_id);
  }
}

function dispatch({ shell, iopub }: Callbacks, message: Message): void {
  if (message.channel === "shell") {
    shell?.reply?.(pageMessageOf(message));
    dispatchPayload(shell?.payload, message.content.payload);
    return;
  }
  const name = message.channel === "iopub" ? IOPUB.get(msgType(message)) : undefined;
  if (name !== undefined) iopub?.[name]?.(pageMessageOf(message));
}

/** Payloads of an `execute_reply` go to the function named by their `source`. */
function dispatchPayload(
  functions: NonNullable<Callbacks["shell"]>["payload"],
  payload: unknown,
): void {
  if (functions === undefined || !Array.isArray(payload)) return;
  for (const item of payload as unknown[]) {
    const source = isJsonObject(item) ? String(item.source) : "";
    if (Object.hasOwn(functions, source)) functions[source]?.(item as JsonObject);
  }
}
