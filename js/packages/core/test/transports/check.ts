/** What every transport does, whatever carries it: the same checks for each pair. */
import { expect, it } from "vitest";
import type { TransportError } from "../../src/errors.js";
import { TransportClosed } from "../../src/errors.js";
import type { Message } from "../../src/protocol/messages.js";
import { newHeader, newMessage } from "../../src/protocol/messages.js";
import type { Transport } from "../../src/transports/base.js";
import { hex } from "../hex.js";

/** Collects what one end hears; each wait ends with the test's own timeout. */
export class Heard {
  readonly messages: Message[] = [];
  readonly faults: unknown[] = [];
  readonly ended: Promise<TransportError>;
  #resolve!: (error: TransportError) => void;
  #waiting: (() => void)[] = [];

  constructor(transport: Transport) {
    this.ended = new Promise((resolve) => (this.#resolve = resolve));
    transport.start({
      message: (message) => {
        this.messages.push(message);
        this.#wake();
      },
      fault: (error) => {
        this.faults.push(error);
        this.#wake();
      },
      end: (error) => this.#resolve(error),
    });
  }

  /** Wait until `count` messages and faults are here. */
  async heard(count: number): Promise<Message[]> {
    while (this.messages.length + this.faults.length < count) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.messages;
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

export function sample(n: number, buffers: Uint8Array[] = []): Message {
  const header = newHeader("comm_msg", { msg_id: `m${n}`, session: "s", now_ms: 0 });
  const content = { comm_id: "c", data: { n, text: "通信" } };
  return newMessage("shell", header, { content, metadata: { m: n }, buffers });
}

/** Register the checks; `makePair` returns two joined ends. */
export function checkTransport(makePair: () => Promise<[Transport, Transport]>): void {
  it("brings messages in order, with everything in them", async () => {
    const [a, b] = await makePair();
    const there = new Heard(b);
    const sent = [0, 1, 2].map((n) => sample(n, [new Uint8Array(0), Uint8Array.of(n, 255)]));
    for (const message of sent) a.send(message);
    const messages = await there.heard(3);
    const plain = (one: Message) => ({ ...one, buffers: one.buffers.map(hex) });
    expect(messages.map(plain)).toEqual(sent.map(plain));
  });

  it("hands over what came before it was started", async () => {
    const [a, b] = await makePair();
    const here = new Heard(a);
    b.send(sample(1));
    a.send(sample(2));
    const there = new Heard(b);
    await there.heard(1);
    expect((await here.heard(1))[0]?.header.msg_id).toBe("m1");
  });

  it("encodes at once: what is changed after send is not sent", async () => {
    const [a, b] = await makePair();
    const there = new Heard(b);
    const message = sample(1, [Uint8Array.of(1)]);
    a.send(message);
    message.buffers[0]?.fill(9);
    message.content.data = {};
    const [arrived] = await there.heard(1);
    expect(arrived?.content.data).toEqual({ n: 1, text: "通信" });
    expect(arrived?.buffers.map(hex)).toEqual(["01"]);
  });

  it("ends at both ends when one closes, after what was sent; closing twice does nothing", async () => {
    const [a, b] = await makePair();
    const [here, there] = [new Heard(a), new Heard(b)];
    a.send(sample(1));
    a.close();
    a.close();
    expect(await here.ended).toBeInstanceOf(TransportClosed);
    expect(await there.ended).toBeInstanceOf(TransportClosed);
    expect(there.messages).toHaveLength(1);
    expect(() => a.send(sample(2))).toThrow(TransportClosed);
  });
}
