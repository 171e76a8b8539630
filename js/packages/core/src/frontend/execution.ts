/**
 * One `execute_request` and what comes back: a reply on shell, outputs on iopub, and "idle" on iopub.
 *
 * Shell and iopub are not ordered relative to each other: an execution is over when both the reply and
 * "idle" are here, in whichever order.
 *
 * Spec: Jupyter messaging, "Execute" and "Kernel status".
 */
import type { TsushinError } from "../errors.js";
import { ExecutionError } from "../errors.js";
import { Expected } from "../expected.js";
import type { JsonObject, Message } from "../protocol/messages.js";
import { msgType } from "../protocol/messages.js";
import { Outputs, outputOf } from "./outputs.js";
import type { Watcher } from "./requests.js";
import type { ExecuteOptions, ExecuteResult } from "./types.js";

const EXECUTE_TIMEOUT = 60; // seconds; `Infinity` waits as long as the kernel lives

export class Execution implements Watcher {
  readonly #outputs = new Outputs();
  readonly #expected: Expected<ExecuteResult>;
  readonly #onOutput: ExecuteOptions["on_output"];
  #reply: JsonObject | null = null;
  #isIdle = false;

  constructor(options: ExecuteOptions) {
    const { timeout = EXECUTE_TIMEOUT, signal, on_output } = options;
    this.#expected = new Expected("execute", { timeout, signal });
    this.#onOutput = on_output;
  }

  /** Reply and "idle" are here. */
  get isOver(): boolean {
    return this.#reply !== null && this.#isIdle;
  }

  get promise(): Promise<ExecuteResult> {
    return this.#expected.promise;
  }

  message(message: Message): void {
    const kind = msgType(message);
    const output = outputOf(kind, message.content);
    if (kind === "execute_reply") this.#reply = message.content;
    if (kind === "status" && message.content.execution_state === "idle") this.#isIdle = true;
    if (output !== null && this.#expected.isWaiting) {
      this.#outputs.add(output);
      this.#onOutput?.(output);
    }
    this.#expected.about = `execute (${this.#missing()})`;
    if (this.#reply !== null && this.#isIdle) this.#finish(this.#reply);
  }

  #missing(): string {
    const reply = this.#reply === null ? "no reply" : "reply arrived";
    return `${reply}, ${this.#isIdle ? "idle" : "kernel still busy"}`;
  }

  end(error: TsushinError): void {
    this.#expected.fail(error);
  }

  #finish(reply: JsonObject): void {
    if (reply.status !== "ok") {
      this.#expected.fail(executionError(reply));
      return;
    }
    const { execution_count } = reply;
    this.#expected.settle({
      status: "ok",
      execution_count: typeof execution_count === "number" ? execution_count : null,
      stdout: this.#outputs.text("stdout"),
      stderr: this.#outputs.text("stderr"),
      result: this.#outputs.result(),
      outputs: this.#outputs.list,
    });
  }
}

function executionError(reply: JsonObject): ExecutionError {
  const { status, ename = "", evalue = "", traceback } = reply;
  if (status !== "error") {
    const value = "not run: an earlier request raised, or the kernel was interrupted";
    return new ExecutionError({ name: "Aborted", value, traceback: [] });
  }
  return new ExecutionError({
    name: String(ename),
    value: String(evalue),
    traceback: Array.isArray(traceback) ? traceback.map(String) : [],
  });
}
