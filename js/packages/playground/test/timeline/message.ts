/** Comm messages for tests, as a transport would hand them over. */
import type { JsonObject, Message } from "tsushin";

export function commMessage(
  msg_type: string,
  content: JsonObject,
  rest: Partial<Pick<Message, "metadata" | "buffers">> = {},
): Message {
  return {
    channel: "iopub",
    header: { msg_id: "1", msg_type, session: "s", username: "", date: "", version: "5.4" },
    parent_header: {},
    metadata: rest.metadata ?? {},
    content,
    buffers: rest.buffers ?? [],
    identities: [],
  };
}
