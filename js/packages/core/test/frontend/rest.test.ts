import type { IncomingMessage, RequestListener } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { ConnectFailed } from "../../src/errors.js";
import { Server } from "../../src/frontend/rest.js";

let stop: () => void = () => undefined;
afterEach(() => stop());

/** Serve one answer to everything; returns the base URL and what was asked. */
async function serve(
  status: number,
  body: string,
): Promise<{ url: string; asked: IncomingMessage[] }> {
  const asked: IncomingMessage[] = [];
  const listener: RequestListener = (request, response) => {
    asked.push(request);
    response.writeHead(status).end(body);
  };
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stop = () => void server.close();
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/base`, asked };
}

it("asks below the base, with the token in a header", async () => {
  const { url, asked } = await serve(201, '{"id": "k 1", "name": "python3"}');
  const kernel = await new Server(url, { token: "secret" }).start("python3");
  expect(kernel).toEqual({ id: "k 1", name: "python3" });
  expect(asked[0]).toMatchObject({ method: "POST", url: "/base/api/kernels" });
  expect(asked[0]?.headers.authorization).toBe("token secret");
});

it("makes the WebSocket URL of a kernel's channels", () => {
  const url = new Server("https://example/base/").channels("k 1", { session_id: "s/1" });
  expect(url).toBe("wss://example/base/api/kernels/k%201/channels?session_id=s%2F1");
});

it.each([
  [
    "an error with a message",
    403,
    '{"message": "Forbidden"}',
    /^GET api\/status: 403 "Forbidden"$/,
  ],
  ["an error without one", 500, "<html>", /^GET api\/status: 500 $/],
  ["an answer that is no JSON", 200, "<html>", /expected JSON, got "<html>"/],
])("refuses %s", async (_what, status, body, text) => {
  const { url } = await serve(status, body);
  const asked = new Server(url, { token: "secret" }).status();
  await expect(asked).rejects.toThrow(ConnectFailed);
  await expect(asked).rejects.toThrow(text);
});

it("refuses what is no kernel", async () => {
  const { url } = await serve(200, '[{"name": "python3"}]');
  await expect(new Server(url).kernels()).rejects.toThrow(ConnectFailed);
});

it("says that nobody answers", async () => {
  const asked = new Server("http://127.0.0.1:9/").status();
  await expect(asked).rejects.toThrow("GET api/status: no answer");
});

it("takes a kernel that is gone already as ended", async () => {
  const { url } = await serve(404, '{"message": "gone"}');
  await expect(new Server(url).shutdown("k1")).resolves.toBeUndefined();
});

it("gives a caller's abort back as it is", async () => {
  const { url } = await serve(200, "{}");
  const signal = AbortSignal.abort(new Error("enough"));
  await expect(new Server(url).status(signal)).rejects.toThrow("enough");
});
