/** The documented flows against a real kernel end, whatever stands between. */
import { expect, it } from "vitest";
import type { Comm } from "../../src/comm.js";
import type { Frontend } from "../../src/frontend/frontend.js";
import type { CloseMessage } from "../../src/protocol/messages.js";

const SIZES = [0, 64 * 1024, 5 * 1024 * 1024]; // bytes

/** Bytes that differ from each other and from their neighbours. */
function pattern(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_none, i) => (i * 31 + (i >> 8)) % 251);
}

export const closeOf = (comm: Comm) =>
  new Promise<CloseMessage>((resolve) => void comm.on_close(resolve));

/** An echo target in Python, where `manager` is the comm manager. */
export const echoTarget = (manager: string) => `
def echo(comm, msg):
    @comm.on_msg
    def _recv(msg):
        if msg["content"]["data"].get("close"):
            comm.close({"bye": 1})
        else:
            comm.send(msg["content"]["data"], msg["metadata"], msg["buffers"])
    comm.send({"foo": 5, "opened_with": msg["content"]["data"]})
${manager}.register_target("echo", echo)
`;

/** Register the checks of a frontend-opened comm; the peer has an `echo` target. */
export function checkFrontendOpens(frontend: () => Frontend): void {
  it("opens a comm, with data", async () => {
    const comm = frontend().comm_manager.new_comm("echo", { foo: 6 });
    const { data } = (await comm.expect_msg()).content;
    expect(data).toEqual({ foo: 5, opened_with: { foo: 6 } });
    comm.close();
  });

  it("carries data, metadata and buffers of 0 B, 64 KiB and 5 MiB, byte for byte", async () => {
    const comm = frontend().comm_manager.new_comm("echo");
    await comm.expect_msg();
    comm.send({ text: "通信", list: [1, 2.5, null] }, { m: { deep: true } }, SIZES.map(pattern));
    const { content, metadata, buffers } = await comm.expect_msg();
    expect(content.data).toEqual({ text: "通信", list: [1, 2.5, null] });
    expect(metadata).toEqual({ m: { deep: true } });
    expect(buffers.map((view) => Buffer.compare(view, pattern(view.byteLength)))).toEqual([
      0, 0, 0,
    ]);
    expect(buffers.map((view) => view.byteLength)).toEqual(SIZES);
    comm.close();
  });

  it("hears the peer's close once, with its data", async () => {
    const comm = frontend().comm_manager.new_comm("echo");
    await comm.expect_msg();
    const closed = closeOf(comm);
    comm.send({ close: true });
    expect((await closed).content.data).toEqual({ bye: 1 });
    expect(comm.closed_by).toBe("there");
  });

  it("is refused for an unknown target, without an echo of its data", async () => {
    const comm = frontend().comm_manager.new_comm("nobody", { secret: 1 });
    expect((await closeOf(comm)).content.data).toEqual({});
  });

  it("lists open comms", async () => {
    const comm = frontend().comm_manager.new_comm("echo");
    await comm.expect_msg();
    expect(await frontend().comms("echo")).toEqual({ [comm.comm_id]: { target_name: "echo" } });
    comm.close();
  });
}
