import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { connect } from "../../src/index.js";
import type { Frontend } from "../../src/index.js";
import { checkFrontendOpens, echoTarget } from "./flows.js";
import type { Running } from "./servers.js";
import { startServe } from "./servers.js";

describe.each(["v1", "default"] as const)("tsushin.serve, subprotocol %s", (subprotocol) => {
  let server: Running;
  let frontend: Frontend;
  beforeAll(async () => {
    server = await startServe(echoTarget("tsushin.comm_manager()"));
    frontend = await connect(server.url, { token: server.token, WebSocket, subprotocol });
  });
  afterAll(async () => {
    await frontend.close();
    await server.stop();
  });

  checkFrontendOpens(() => frontend);

  it("brings binary inside the data to Python and back", async () => {
    const comm = frontend.comm_manager.new_comm("echo");
    await comm.expect_msg();
    const data = { image: { pixels: Uint8Array.of(1, 2, 3), heights: Float32Array.of(0.5, 2) } };
    comm.send(data);
    expect((await comm.expect_msg()).content.data).toEqual(data);
    comm.close();
  });

  it("says that it executes no code", async () => {
    await expect(frontend.execute("1")).rejects.toMatchObject({ code: "execution_error" });
  });
});
