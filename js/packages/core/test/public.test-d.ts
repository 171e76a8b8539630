import { assertType, expectTypeOf, test } from "vitest";
import type {
  ClassicMessage,
  Comm,
  CommManager,
  CommMessage,
  ConnectOptions,
  ExecuteResult,
  Frontend,
  JsonObject,
  Jupyter,
  MsgMessage,
  OpenMessage,
  Output,
} from "../src/index.js";
import { CommClosed, LocalProtocolError, TsushinError, connect, run_script } from "../src/index.js";

declare const comm: Comm;
declare const manager: CommManager;
declare const page: Jupyter;

test("handlers get the message of their kind", () => {
  comm.on_msg((msg) => expectTypeOf(msg).toEqualTypeOf<MsgMessage>());
  manager.register_target("t", (opened, msg) => {
    expectTypeOf(opened).toEqualTypeOf<Comm>();
    expectTypeOf(msg).toEqualTypeOf<OpenMessage>();
  });
  expectTypeOf<MsgMessage["content"]["data"]>().toEqualTypeOf<JsonObject>();
});

test("registering returns the very function", () => {
  const handler = (msg: MsgMessage) => msg.content.data.n;
  expectTypeOf(comm.on_msg(handler)).toEqualTypeOf(handler);
  expectTypeOf(comm.on_msg(null)).toEqualTypeOf<null>();
});

test("comm messages are told apart by msg_type", () => {
  const nameOf = (msg: CommMessage) =>
    msg.msg_type === "comm_open" ? msg.content.target_name : null;
  expectTypeOf(nameOf).returns.toEqualTypeOf<string | null>();
  expectTypeOf<OpenMessage>().toExtend<ClassicMessage<"comm_open", OpenMessage["content"]>>();
});

test("data is an object, and buffers are binary", () => {
  comm.send({ a: [1, { b: new Float32Array(2) }] }, null, [new ArrayBuffer(1), new Uint8Array(1)]);
  // @ts-expect-error -- data is an object
  comm.send("text");
  // @ts-expect-error -- buffers are binary
  comm.send({}, {}, ["text"]);
});

test("data of a peer is unknown until it is looked at", () => {
  comm.on_msg((msg) => expectTypeOf(msg.content.data.n).toEqualTypeOf<unknown>());
});

test("connect gives a frontend that can be disposed", () => {
  expectTypeOf(connect).returns.resolves.toEqualTypeOf<Frontend>();
  expectTypeOf<Frontend>().toExtend<Disposable & AsyncDisposable>();
  expectTypeOf<ConnectOptions["trace"]>().not.toEqualTypeOf<undefined>();
});

test("execute resolves only with success; outputs are told apart by output_type", () => {
  expectTypeOf<ExecuteResult["status"]>().toEqualTypeOf<"ok">();
  const textOf = (output: Output) => (output.output_type === "stream" ? output.text : null);
  expectTypeOf(textOf).returns.toEqualTypeOf<string | null>();
});

test("errors are one tree", () => {
  expectTypeOf<CommClosed>().toExtend<LocalProtocolError>();
  expectTypeOf<LocalProtocolError>().toExtend<TsushinError>();
});

test("the classic object has the classic argument order, and send returns the msg_id", () => {
  const { comm_manager } = page.notebook.kernel;
  const opened = comm_manager.new_comm("t", { foo: 6 }, {}, { m: 1 }, "id", [new ArrayBuffer(1)]);
  expectTypeOf(opened.send({ foo: 7 }, { iopub: { output: () => 1 } })).toEqualTypeOf<string>();
  assertType<Promise<unknown>>(run_script("return 1", { Jupyter: page }));
});
