/**
 * The ways by which a frontend gets to its kernel's lane, the best one first: the kernel itself, where it is on the
 * machine of the page or of its server; else through the server.
 *
 * Spec: spec/profile.md, "Lane", "Getting one".
 */
import type { Limits } from "../protocol/limits.js";
import type { Transport } from "../transports/base.js";
import type { WebSocketConstructor } from "../transports/websocket.js";
import { openWebSocket } from "../transports/websocket.js";

const DIRECT_TIMEOUT = 2; // seconds; to the kernel itself
const THROUGH_SERVER_TIMEOUT = 10; // seconds

/** Where the kernel, and its server, are. */
export interface LaneOptions {
  /** Base URL of a Jupyter Server that has the kernel; what it wants as token in a query. */
  readonly server?: { readonly url: string; readonly token?: string | undefined } | undefined;
  /** Returns the kernel's id at the server; null where that is not known. */
  readonly kernel_id: () => string | null;
  readonly limits?: Limits | undefined;
  readonly WebSocket?: WebSocketConstructor | undefined;
}

/** So a kernel end lets a session in: once, and soon. */
export interface Offer {
  readonly port: number;
  readonly token: string;
}

/** Connects by a lane, or rejects. `session` is the frontend's. */
export type LaneWay = (session: string, offer: Offer, signal: AbortSignal) => Promise<Transport>;

/** Return the ways that there are from here, in the order to be tried. */
export function laneWays(options: LaneOptions): LaneWay[] {
  const { server, WebSocket = platformWebSocket() } = options;
  if (WebSocket === undefined) return [];
  const hosts = [pageHost(), server === undefined ? null : new URL(server.url).hostname];
  const way = { ...options, WebSocket };
  return [
    ...(hosts.some(isLoopback) ? [directWay(way)] : []),
    ...(server === undefined ? [] : [wayThrough(server, way)]),
  ];
}

function directWay({ limits, WebSocket }: LaneOptions): LaneWay {
  return (session, { port, token }, signal) => {
    const url = `ws://127.0.0.1:${port}/lane?session=${encodeURIComponent(session)}`;
    const options = { token, subprotocol: "v1", limits, WebSocket, signal } as const;
    return openWebSocket(url, { ...options, timeout: DIRECT_TIMEOUT });
  };
}

function wayThrough(
  server: { url: string; token?: string | undefined },
  way: LaneOptions,
): LaneWay {
  const { limits, WebSocket, kernel_id } = way;
  return async (session, _offer, signal) => {
    const id = kernel_id();
    if (id === null) throw new TypeError("no kernel");
    const base = server.url.endsWith("/") ? server.url : `${server.url}/`;
    const url = new URL(`tsushin/lane/${encodeURIComponent(id)}`, base);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("session", session);
    // As for the kernel's channels: a page without a token has its login cookie.
    if (server.token) url.searchParams.set("token", server.token);
    const options = { subprotocol: "v1", limits, WebSocket, signal } as const;
    return openWebSocket(url.href, { ...options, timeout: THROUGH_SERVER_TIMEOUT });
  };
}

/** Return the origin of the page; "" where there is none, as in Node. */
export function pageOrigin(): string {
  return page().location?.origin ?? "";
}

/** Say whether a host, as `URL` writes it, is this machine. */
export function isLoopback(host: string | null): boolean {
  if (host === null) return false;
  return (
    host === "localhost" || host.endsWith(".localhost") || host === "[::1]" || isLoopback4(host)
  );
}

function isLoopback4(host: string): boolean {
  return /^127\.\d+\.\d+\.\d+$/.test(host);
}

function pageHost(): string | null {
  return page().location?.hostname ?? null;
}

function platformWebSocket(): WebSocketConstructor | undefined {
  return page().WebSocket;
}

function page() {
  return globalThis as {
    location?: { origin: string; hostname: string };
    WebSocket?: WebSocketConstructor;
  };
}
