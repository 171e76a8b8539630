/**
 * What the kernel prints, shows and raises because of this page: by its cells, and by handlers of its
 * comm messages long after the cell has ended.
 */
import type { JsonObject, LiveOutput, Message } from "tsushin";

/** Return the output that a message carries, or null where it carries none or another client caused it. */
export function outputOf(message: Message, session: string | undefined): LiveOutput | null {
  if (message.channel !== "iopub" || session === undefined) return null;
  if (message.parent_header.session !== session) return null;
  const { content } = message;
  switch (message.header.msg_type) {
    case "stream": {
      const name = content.name === "stderr" ? "stderr" : "stdout";
      return { output_type: "stream", name, text: text(content.text) };
    }
    case "display_data":
    case "update_display_data":
      return {
        output_type: message.header.msg_type,
        data: object(content.data),
        metadata: object(content.metadata),
        transient: object(content.transient),
      };
    case "execute_result": {
      const count = typeof content.execution_count === "number" ? content.execution_count : null;
      const { data, metadata } = content;
      return {
        output_type: "execute_result",
        data: object(data),
        metadata: object(metadata),
        execution_count: count,
      };
    }
    case "error": {
      const traceback = Array.isArray(content.traceback) ? content.traceback.map(String) : [];
      return {
        output_type: "error",
        ename: text(content.ename),
        evalue: text(content.evalue),
        traceback,
      };
    }
    case "clear_output":
      return { output_type: "clear_output", wait: content.wait === true };
    default:
      return null;
  }
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function object(value: unknown): JsonObject {
  return typeof value === "object" && value !== null ? (value as JsonObject) : {};
}
