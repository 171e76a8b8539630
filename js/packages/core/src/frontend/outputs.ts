/**
 * Outputs of one execution, collected as a notebook does.
 *
 * Spec: Jupyter messaging, "Messages on the IOPub channel"; nbformat 4, "Code cell outputs".
 */
import type { JsonObject } from "../protocol/messages.js";
import { isJsonObject } from "../protocol/messages.js";
import type { LiveOutput, Output } from "./types.js";

/** Return an iopub message as an output; null where it is none. Absent fields are empty. */
export function outputOf(msg_type: string, content: JsonObject): LiveOutput | null {
  const data = asObject(content.data);
  const metadata = asObject(content.metadata);
  switch (msg_type) {
    case "stream": {
      const name = content.name === "stderr" ? "stderr" : "stdout";
      return { output_type: "stream", name, text: asText(content.text) };
    }
    case "display_data":
    case "update_display_data":
      return { output_type: msg_type, data, metadata, transient: asObject(content.transient) };
    case "execute_result": {
      const count = content.execution_count;
      const execution_count = typeof count === "number" ? count : null;
      return { output_type: "execute_result", data, metadata, execution_count };
    }
    case "error": {
      const traceback = Array.isArray(content.traceback) ? content.traceback.map(String) : [];
      const { ename, evalue } = content;
      return { output_type: "error", ename: asText(ename), evalue: asText(evalue), traceback };
    }
    case "clear_output":
      return { output_type: "clear_output", wait: content.wait === true };
    default:
      return null;
  }
}

/** The outputs so far: text of one stream joined, updates and clearing applied. */
export class Outputs {
  readonly list: Output[] = [];
  #clearsNext = false;

  add(output: LiveOutput): void {
    if (output.output_type === "clear_output") {
      this.#clearsNext = output.wait;
      if (!output.wait) this.list.length = 0;
      return;
    }
    if (output.output_type === "update_display_data") {
      this.#update(output);
      return;
    }
    if (this.#clearsNext) this.list.length = 0;
    this.#clearsNext = false;
    if (!this.#joined(output)) this.list.push({ ...output });
  }

  /** Everything written to one stream. */
  text(name: "stdout" | "stderr"): string {
    return this.list
      .map((output) => (output.output_type === "stream" && output.name === name ? output.text : ""))
      .join("");
  }

  /** `text/plain` of the last expression's value, or null. */
  result(): string | null {
    const last = this.list.findLast((output) => output.output_type === "execute_result");
    const text = last?.output_type === "execute_result" ? last.data["text/plain"] : null;
    return typeof text === "string" ? text : null;
  }

  #joined(output: Output): boolean {
    const last = this.list.at(-1);
    if (output.output_type !== "stream" || last?.output_type !== "stream") return false;
    if (output.name !== last.name) return false;
    last.text += output.text;
    return true;
  }

  #update({ data, metadata, transient }: Extract<LiveOutput, { transient: JsonObject }>): void {
    for (const output of this.list) {
      if (output.output_type !== "display_data") continue;
      if (output.transient.display_id === transient.display_id) {
        Object.assign(output, { data, metadata });
      }
    }
  }
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function asObject(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}
