/**
 * Requests and answers as they travel: ordinary comm messages with an entry in `metadata.tsushin`; the twin
 * of `src/tsushin/profile/requests.py`.
 *
 * A request is `{req, name}`, its answer `{re, ok}` with the value in `data.value`, or `{re, error}`. A
 * plain peer sees comm messages like any other.
 *
 * Spec: spec/profile.md, "Requests". Vectors: spec/vectors/profile.
 */
import { RemoteProtocolError, quote } from "../errors.js";
import type { JsonObject, Message } from "../protocol/messages.js";
import { isJsonObject } from "../protocol/messages.js";

export const NO_HANDLER = "no_handler";
export const MAX_TEXT = 64 * 1024; // characters of an error's texts; a traceback is cut there

/** The peer asks for `name` and waits for an answer with its id. */
export interface Asked {
  readonly type: "asked";
  readonly req: string;
  readonly name: string;
}

/** The peer answers a request with `value`. */
export interface Answered {
  readonly type: "answered";
  readonly re: string;
  readonly value: unknown;
}

/** The peer could not answer: the class name of its exception, or `NO_HANDLER`, and what it says. */
export interface Failed {
  readonly type: "failed";
  readonly re: string;
  readonly name: string;
  readonly message: string;
  readonly traceback: string;
}

/** Return what belongs into `metadata.tsushin` of a request. */
export function requestEntry(req: string, name: string): JsonObject {
  return { req, name };
}

/** Return what belongs into `metadata.tsushin` of an answer; its value goes into the data. */
export function answerEntry(re: string): JsonObject {
  return { re, ok: true };
}

/** Return what belongs into `metadata.tsushin` of an answer without a value. */
export function failureEntry(failed: Omit<Failed, "type">): JsonObject {
  const { re, name, message, traceback } = failed;
  const error: JsonObject = { name, message: message.slice(0, MAX_TEXT) };
  if (traceback !== "") error.traceback = traceback.slice(-MAX_TEXT);
  return { re, error };
}

/**
 * Say what a `comm_msg` is besides; null for one that is neither request nor answer.
 *
 * Throws `RemoteProtocolError`: it says that it is one, and is malformed.
 */
export function readRequest(message: Message): Asked | Answered | Failed | null {
  const ours = message.metadata.tsushin;
  if (!isJsonObject(ours)) return null;
  if ("req" in ours) return { type: "asked", req: text(ours, "req"), name: text(ours, "name") };
  if (!("re" in ours)) return null;
  const re = text(ours, "re");
  if ("error" in ours) {
    const { error } = ours;
    if (!isJsonObject(error)) throw fault("error", "object", error);
    const traceback = "traceback" in error ? text(error, "traceback") : "";
    const [name, said] = [text(error, "name"), text(error, "message")];
    return { type: "failed", re, name, message: said, traceback };
  }
  if (ours.ok !== true) throw fault("ok", "true", ours.ok);
  const data = message.content.data as JsonObject; // commContent checked it
  return { type: "answered", re, value: data.value ?? null };
}

function text(holder: JsonObject, key: string): string {
  const value = holder[key];
  if (typeof value !== "string") throw fault(key, "text", value);
  return value;
}

function fault(key: string, expected: string, got: unknown): RemoteProtocolError {
  const about = `metadata.tsushin.${key}: expected ${expected}`;
  return new RemoteProtocolError(`${about}, got ${quote(got ?? null)}`);
}
