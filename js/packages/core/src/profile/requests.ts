/**
 * Requests and answers as they travel: ordinary comm messages with an entry in `metadata.tsushin`; the twin
 * of `src/tsushin/profile/requests.py`.
 *
 * A request is `{req, name}`, its answer `{re, ok}` with the value in `data.value`, or `{re, error}`. With
 * `stream` in the request the answer may come in parts, `{re, part}`, before that. A plain peer sees comm
 * messages like any other.
 *
 * Spec: spec/profile.md, "Requests" and "Streams". Vectors: spec/vectors/profile.
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
  /** How many parts it takes ahead of what it has read; 0 where it takes one answer. */
  readonly stream: number;
}

/** One part of an answer; `part` counts from 1. */
export interface Part {
  readonly type: "part";
  readonly re: string;
  readonly part: number;
  readonly value: unknown;
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
export function requestEntry(req: string, name: string, stream = 0): JsonObject {
  return { req, name, ...(stream > 0 ? { stream } : {}) };
}

/** Return what belongs into `metadata.tsushin` of a part; its value goes into the data. */
export function partEntry(re: string, part: number): JsonObject {
  return { re, part };
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
export function readRequest(message: Message): Asked | Answered | Part | Failed | null {
  const ours = message.metadata.tsushin;
  if (!isJsonObject(ours)) return null;
  if ("req" in ours) {
    const [req, name] = [text(ours, "req"), text(ours, "name")];
    return { type: "asked", req, name, stream: "stream" in ours ? count(ours, "stream") : 0 };
  }
  if (!("re" in ours)) return null;
  const re = text(ours, "re");
  if ("error" in ours) {
    const { error } = ours;
    if (!isJsonObject(error)) throw fault("error", "object", error);
    const traceback = "traceback" in error ? text(error, "traceback") : "";
    const [name, said] = [text(error, "name"), text(error, "message")];
    return { type: "failed", re, name, message: said, traceback };
  }
  const data = message.content.data as JsonObject; // commContent checked it
  if ("part" in ours) {
    return { type: "part", re, part: count(ours, "part"), value: data.value ?? null };
  }
  if (ours.ok !== true) throw fault("ok", "true", ours.ok);
  return { type: "answered", re, value: data.value ?? null };
}

function count(holder: JsonObject, key: string): number {
  const value = holder[key];
  if (typeof value === "number" && Number.isSafeInteger(value) && value > 0) return value;
  throw fault(key, "a count", value);
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
