/**
 * The frontend end: one kernel over one transport, with its comms and its code execution.
 *
 * The way of a message in: transport → trace → who waits for it by its parent (`Requests`) → comms
 * (`CommManager`) → kernel status. What ends the kernel or the link reaches everything that waits. A link that
 * broke may be made anew: comms wait for it, where the kernel end knows what it has to send again.
 *
 * One piece, because what ends the kernel or the link has to reach everything that waits here.
 *
 * Spec: Jupyter messaging, "Execute", "Comm info", "Kernel info", "Kernel status".
 */
import type { Comm } from "../comm.js";
import {
  KernelGone,
  RemoteProtocolError,
  TransportClosed,
  TransportLost,
  TsushinError,
  Unsupported,
} from "../errors.js";
import type { KernelGoneWhy, TransportError } from "../errors.js";
import type { WaitOptions } from "../expected.js";
import { DEFAULT_TIMEOUT, Expected } from "../expected.js";
import { CommManager } from "../manager.js";
import { TARGET, isControl } from "../profile/control.js";
import type { Channel, JsonObject, Message } from "../protocol/messages.js";
import { COMM_TYPES, msgType, newHeader, newMessage } from "../protocol/messages.js";
import { PageRuntime } from "../runtime.js";
import { GRACE } from "../sessions.js";
import type { Transport } from "../transports/base.js";
import { comeBack } from "./come_back.js";
import type { WayBack } from "./come_back.js";
import { openComms } from "./comm_info.js";
import { Execution } from "./execution.js";
import { FrontendLane } from "./lane.js";
import { laneWays } from "./lane_ways.js";
import { lookOut } from "./lookout.js";
import type { FrontendOptions } from "./options.js";
import { noteLeft, onPageGone, pageStorage, takeLeft } from "./page_gone.js";
import { Requests } from "./requests.js";
import type { Watcher } from "./requests.js";
import type { CommInfo, ExecuteOptions, ExecuteResult, KernelStatus } from "./types.js";
import { StatusWatch } from "./watch.js";

const INTERRUPT_TIMEOUT = 10; // seconds
const LOOK_TIMEOUT = 600; // seconds; a kernel without us answers after the cell that it runs
const RESTART_TIMEOUT = 60; // seconds
const LANE_ORDER_TIMEOUT = 1; // seconds; then the lane is in trouble, and order with it
const ASK_AGAIN = 1; // seconds; iopub answers within milliseconds once it is live

/** A kernel as a page or a Node process sees it. Made by `connect`. */
export class Frontend implements Disposable, AsyncDisposable {
  readonly kernel_id: string;
  readonly comm_manager: CommManager;
  #transport: Transport;
  readonly #options: FrontendOptions;
  readonly #onError: (error: unknown) => void;
  readonly #requests = new Requests();
  #status: KernelStatus = "unknown";
  readonly #watch = new StatusWatch();
  #ended: TsushinError | null = null;
  #isClosing = false;
  #turn: Promise<unknown> = Promise.resolve(); // when what was asked to be executed last is sent
  #turns = 0; // of those that are not
  #waits = 0; // executions that had to wait, so far
  #away: AbortController | null = null; // while the link is made anew: ends that
  #back: Promise<void> = Promise.resolve(); // that it is, or will not be
  #stopLookout: () => void = () => undefined;
  readonly #forgetPage: () => void;

  constructor(transport: Transport, options: FrontendOptions) {
    const { session, limits, on_unknown, kernel_id, load_target, tab, max_whole_bytes } = options;
    this.kernel_id = kernel_id;
    this.#transport = transport;
    this.#options = options;
    this.#onError = options.on_error ?? ((error) => console.error("tsushin:", error));
    this.comm_manager = new CommManager({
      send: (message) => this.#send(message),
      runtime: new PageRuntime(this.#onError),
      channel: "shell",
      on_unknown,
      load_target,
      joins: true,
      tab,
      left: takeLeft(pageStorage(), options.name ?? kernel_id),
      max_whole_bytes,
      skips_unknown: options.lane?.skips_unknown,
      ...(session === undefined ? {} : { session }),
      ...(limits === undefined ? {} : { limits }),
    });
    this.#useLane();
    this.#forgetPage = onPageGone(() => this.#guard(() => this.#pageGone()));
    this.#listen();
  }

  /** The client session: every message sent has it in its header. */
  get session(): string {
    return this.comm_manager.session;
  }

  /** The kernel's state as last heard of. */
  get status(): KernelStatus {
    return this.#status;
  }

  /** True once the link is gone for good, by us or not: nothing can be sent any more. */
  get closed(): boolean {
    return this.#ended !== null;
  }

  /** True while comm messages go straight to the kernel's process. */
  get has_lane(): boolean {
    return this.comm_manager.sessions.hasLane();
  }

  // ---------------------------------------------------------------- using

  /**
   * Run code in the kernel and return what it printed, showed and gave.
   *
   * Rejects with `ExecutionError`: it raised. `KernelGone`, `TransportClosed` or `TransportLost`: nobody
   * will answer; after the last, `closed` says whether the link is made anew. "TimeoutError" or the signal's
   * reason: the wait is over, the code may still run.
   */
  execute(code: string, options: ExecuteOptions = {}): Promise<ExecuteResult> {
    const { silent = false, store_history = !silent, stop_on_error = false } = options;
    const content = { code, silent, store_history, stop_on_error };
    const rest = { user_expressions: {}, allow_stdin: false };
    const execution = new Execution(options);
    const send = () =>
      this.#watched(execution, execution.promise, () =>
        this.request("shell", "execute_request", { ...content, ...rest }, execution),
      );
    const { sessions } = this.comm_manager;
    const isNext = this.#turns === 0 && !sessions.hasQueued && !sessions.isAheadByLane;
    const result = isNext || this.#away !== null ? send() : this.#afterComms(execution, send);
    return this.#options.lane === undefined ? result : this.#withComms(result, execution);
  }

  /** What the code sent by the lane comes before its result, as by the standard route. */
  async #withComms<T>(result: Promise<T>, execution: Execution): Promise<T> {
    try {
      return await result;
    } finally {
      if (execution.isOver) await this.comm_manager.sessions.arrivedByLane(LANE_ORDER_TIMEOUT);
    }
  }

  /** Send after the comm messages that were sent before, also those that have to wait; not where it has ended. */
  #afterComms<T>(execution: Execution, send: () => Promise<T>): Promise<T> {
    const { sessions } = this.comm_manager;
    const place = `waits ${(this.#waits += 1)}`;
    this.#requests.watch(place, execution); // a kernel that goes while it waits ends it
    const sent = sessions.allSent();
    const ready = this.#turn
      .then(() => sent)
      .then(() => (sessions.isAheadByLane ? sessions.arrivedByLane(LANE_ORDER_TIMEOUT) : null));
    // What it brings is not waited for.
    const next = Promise.race([ready, execution.promise])
      .finally(() => this.#requests.stop(place))
      .then(() => ({ result: send() }));
    this.#takeTurn(next);
    return next.then(({ result }) => result);
  }

  /** What is sent after `turn`, which was begun after those before, waits for it. */
  #takeTurn(turn: Promise<unknown>): void {
    this.#turns += 1;
    const ended = () => void (this.#turns -= 1);
    this.#turn = turn.then(ended, ended);
  }

  /** List the comms open in the kernel, of one target or of all. `timeout` is in seconds. */
  async comms(target_name: string | null = null, timeout = DEFAULT_TIMEOUT): Promise<CommInfo> {
    const content = target_name === null ? {} : { target_name };
    const reply = await this.#ask("shell", "comm_info_request", content, { timeout });
    return openComms(reply.content);
  }

  /**
   * Take up comms that the kernel has open and this frontend does not know, such as those opened before it came:
   * each is offered to its target, marked by `metadata.tsushin.restored`, with what it was opened with, its
   * `history` and its snapshot where the kernel end knows the profile, else with `data: {}`. Resolves with the ids
   * of those whose target is registered here. `timeout` is in seconds. See `CommManager.take_up`.
   */
  async restore(timeout = DEFAULT_TIMEOUT): Promise<string[]> {
    const found = await this.comms(null, timeout);
    if (this.comm_manager.peers.length === 0) await this.look(timeout); // it may have one by now
    await this.comm_manager.sessions.first(GRACE).catch(() => undefined); // else it is a plain kernel
    return this.comm_manager.take_up(found);
  }

  /**
   * Ask whether the kernel has an end that knows the profile, and say hello to it. A kernel without one
   * answers after the cell that it runs.
   */
  async look(timeout = LOOK_TIMEOUT): Promise<void> {
    const { sessions } = this.comm_manager;
    sessions.hope();
    let found: CommInfo;
    try {
      found = await this.comms(TARGET, timeout);
    } catch (error) {
      // No kernel end of ours answers by an error, or not at all.
      if (error instanceof RemoteProtocolError || isTimeout(error)) sessions.decline();
      else if (!(error instanceof TsushinError)) throw error; // who else waits is told
      return;
    }
    if (TARGET in found) {
      sessions.found();
      return;
    }
    if (this.comm_manager.peers.length > 0) this.kernel_gone("restarted");
    sessions.decline();
  }

  /** Return the content of the kernel's `kernel_info_reply`. `timeout` is in seconds. */
  async kernel_info(timeout = DEFAULT_TIMEOUT): Promise<JsonObject> {
    return (await this.#ask("shell", "kernel_info_request", {}, { timeout })).content;
  }

  /** See `CommManager.expect_open`. */
  expect_open(
    target_name: string,
    timeout = DEFAULT_TIMEOUT,
    options: Pick<WaitOptions, "signal"> = {},
  ): Promise<Comm> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    return this.comm_manager.expect_open(target_name, timeout, options);
  }

  /** Interrupt what the kernel runs: by the server, else by an `interrupt_request`. */
  async interrupt(): Promise<void> {
    if (this.#ended !== null) throw this.#ended;
    const { host } = this.#options;
    if (host !== undefined) await host.interrupt();
    else await this.#ask("control", "interrupt_request", {}, { timeout: INTERRUPT_TIMEOUT });
  }

  /** Restart the kernel and wait for its first answer. Targets stay, comms are lost. In seconds. */
  async restart(timeout = RESTART_TIMEOUT): Promise<void> {
    const { host } = this.#options;
    if (this.#ended !== null) throw this.#ended;
    if (host === undefined)
      throw new Unsupported("no server to restart it", { feature: "restart" });
    await host.restart();
    this.#watch.ended();
    this.#loseKernel("restarted");
    this.comm_manager.sessions.hope(); // the next one is asked
    await this.#isBack(timeout);
    await this.handshake({ timeout });
    await this.#iopubHeard(timeout);
    this.look().catch(this.#onError);
  }

  /**
   * Leave: comms opened here are closed at the kernel, a kernel started here ends. All other comms are
   * lost and every wait ends with `TransportClosed`. A second call does nothing.
   */
  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    const shutdown = this.#options.host?.shutdown;
    if (this.#ended === null && shutdown === undefined) {
      this.#closeOwnComms();
      this.comm_manager.sessions.leave();
    }
    this.#closeLink();
    await shutdown?.();
  }

  /**
   * Ask until iopub is heard too: a server's subscription to a new process can be live later than its shell,
   * and what is said before that is lost, the "idle" of an execution among it.
   */
  async #iopubHeard(timeout: number): Promise<void> {
    const until = performance.now() + timeout * 1e3;
    for (;;) {
      const heard = new Expected<null>("iopub of the restarted kernel", { timeout: ASK_AGAIN });
      const watcher: Watcher = {
        message: ({ channel }) => {
          if (channel === "iopub") heard.settle(null);
        },
        end: (error) => heard.fail(error),
      };
      try {
        await this.#watched(watcher, heard.promise, () =>
          this.request("shell", "kernel_info_request", {}, watcher),
        );
        return;
      } catch (error) {
        if (!isTimeout(error) || performance.now() > until) throw error;
      }
    }
  }

  /** Close what was opened here; other comms may have other frontends too. */
  #closeOwnComms(): void {
    const own = [...this.comm_manager.comms.values()].filter((comm) => comm.primary);
    for (const comm of own) comm.close(null, { reason: "the frontend was closed" });
  }

  /** `close` without waiting; what goes wrong is reported to `on_error`. */
  dispose(): void {
    this.close().catch(this.#onError);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  // ---------------------------------------------------------------- for `connect` and the classic object

  /**
   * Send a request of any type; `watcher` sees what answers it. Returns its `msg_id`; call `forget` with
   * it when nothing more is wanted.
   */
  request(
    channel: Channel,
    msg_type: string,
    content: JsonObject,
    watcher: Watcher,
    attached: Partial<Pick<Message, "metadata" | "buffers">> = {},
  ): string {
    const msg_id = this.comm_manager.next_msg_id();
    const header = newHeader(msg_type, { msg_id, session: this.session, now_ms: Date.now() });
    this.watch(msg_id, watcher);
    try {
      this.#send(newMessage(channel, header, { ...attached, content }));
    } catch (error) {
      this.forget(msg_id);
      throw error;
    }
    return msg_id;
  }

  /** Let `watcher` see every message whose parent is `msg_id`. */
  watch(msg_id: string, watcher: Watcher): void {
    this.#requests.watch(msg_id, watcher);
  }

  forget(msg_id: string): void {
    this.#requests.stop(msg_id);
  }

  /**
   * Wait for the kernel's first answer. Asked on control and on shell: a kernel that runs a cell answers
   * on control at once, and one that has no control channel answers on shell.
   */
  async handshake(options: WaitOptions): Promise<JsonObject> {
    const asked = (["control", "shell"] as const).map((channel) =>
      this.#ask(channel, "kernel_info_request", {}, options),
    );
    const reply = await Promise.race(asked);
    this.#watch.answered(reply);
    this.#startLookout();
    return reply.content;
  }

  /** Say that the kernel is gone, where something else than its messages has told. */
  kernel_gone(why: KernelGoneWhy): void {
    this.#watch.ended();
    this.#loseKernel(why);
  }

  // ---------------------------------------------------------------- inside

  /** The page goes. What it says now may not arrive: the next one in this tab says it again. */
  #pageGone(): void {
    const { sessions } = this.comm_manager;
    const name = this.#options.name ?? this.kernel_id;
    if (sessions.isMet) noteLeft(pageStorage(), name, this.session);
    sessions.leave();
  }

  #send(message: Message): void {
    if (this.#ended !== null) throw this.#ended;
    if (
      this.#turns > 0 &&
      msgType(message) === "comm_open" &&
      !isControl(message.content.comm_id)
    ) {
      // It goes by no lane, and keeps its place behind code that waits for what went by one.
      this.#takeTurn(this.#turn.then(() => this.#guard(() => this.#sendNow(message))));
      return;
    }
    this.#sendNow(message);
  }

  #sendNow(message: Message): void {
    if (this.#ended !== null) throw this.#ended;
    if (this.#away !== null) {
      // What is numbered is kept: the kernel end asks for it once we are back.
      if (COMM_TYPES.includes(msgType(message)) && this.comm_manager.peers.length > 0) return;
      throw new TransportLost("the link broke, and is being made anew");
    }
    this.#transport.send(message);
    this.#trace("sent", message);
  }

  #receive(message: Message): void {
    this.#trace("received", message);
    this.#guard(() => this.#requests.receive(message));
    this.#guard(() => this.comm_manager.receive(message));
    this.#guard(() => this.#noteKernel(message));
  }

  #receiveByLane(message: Message): void {
    this.#trace("received", message);
    this.#guard(() => this.comm_manager.receive(message));
  }

  #useLane(): void {
    const { lane, limits } = this.#options;
    const ways = lane === undefined ? [] : laneWays({ ...lane, limits });
    if (ways.length === 0) return;
    const { sessions } = this.comm_manager;
    const keeper = new FrontendLane({
      sessions,
      session: this.session,
      ways,
      peer: () => this.comm_manager.peers[0]?.session ?? null,
      sent: (message) => this.#trace("sent", message),
      receive: (message) => this.#receiveByLane(message),
      fault: (error) => this.#onError(error),
    });
    sessions.useLanes(keeper, lane?.also);
  }

  #trace(direction: "sent" | "received", message: Message): void {
    this.#guard(() => this.#options.trace?.(direction, message, performance.now()));
  }

  /** One user callback that throws must not keep a message from the others. */
  #guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#onError(error);
    }
  }

  async #ask(
    channel: Channel,
    msg_type: string,
    content: JsonObject,
    options: WaitOptions,
  ): Promise<Message> {
    const expected = new Expected<Message>(`answer to ${msg_type}`, options);
    const wanted = msg_type.replace("_request", "_reply");
    const watcher: Watcher = {
      message: (message) => {
        if (msgType(message) === wanted) expected.settle(message);
      },
      end: (error) => expected.fail(error),
    };
    return this.#watched(watcher, expected.promise, () =>
      this.request(channel, msg_type, content, watcher),
    );
  }

  /** Send, wait for `promise`, and stop watching whatever came of it. */
  async #watched<T>(watcher: Watcher, promise: Promise<T>, send: () => string): Promise<T> {
    let msg_id: string;
    try {
      msg_id = send();
    } catch (error) {
      watcher.end(error as TsushinError);
      throw error;
    }
    try {
      return await promise;
    } finally {
      this.forget(msg_id);
    }
  }

  #noteKernel(message: Message): void {
    const why = this.#watch.verdict(message);
    if (why !== null) this.#loseKernel(why);
    const { execution_state } = message.content;
    const isStatusMessage = message.channel === "iopub" && msgType(message) === "status";
    if (isStatusMessage && isStatus(execution_state)) this.#setStatus(execution_state);
  }

  /** The kernel's process is gone. After a restart the link serves the next one. */
  #loseKernel(why: KernelGoneWhy): void {
    const gone = new KernelGone(`the kernel ${GONE[why]}`, { why });
    this.comm_manager.lose(gone.message, gone);
    this.#requests.end(gone);
    this.#guard(() => this.#options.on_kernel_gone?.(gone));
    if (why === "restarted") return;
    this.#setStatus("dead");
    if (this.#options.outlives_kernel === true) return;
    this.#ended ??= gone;
    this.#closeLink();
  }

  // ---------------------------------------------------------------- the link

  #listen(): void {
    this.#transport.start({
      message: (message) => this.#receive(message),
      fault: (error) => this.#onError(error),
      end: (error) => this.#endLink(error),
    });
  }

  #endLink(error: TransportError): void {
    const { host } = this.#options;
    const { reconnect } = host ?? {};
    const mayComeBack =
      error instanceof TransportLost && this.#ended === null && this.comm_manager.peers.length > 0;
    if (!mayComeBack || host === undefined || reconnect === undefined) {
      this.#end(error);
      return;
    }
    const isThere = (signal: AbortSignal) => host.isThere(signal);
    this.#back = this.#comeBack(error, { isThere, reconnect });
  }

  /** Make a broken link anew; comms live on. Never rejects. */
  async #comeBack(lost: TransportLost, way: WayBack): Promise<void> {
    const away = (this.#away = new AbortController());
    this.#stopLookout();
    this.comm_manager.sessions.pause();
    this.#requests.end(lost);
    const found = await comeBack(way, away);
    if (this.#away !== away) {
      if (typeof found === "object") found?.close();
    } else if (found === "gone") {
      this.#loseKernel("shut down");
    } else if (found === null) {
      this.#end(lost);
    } else {
      this.#goOn(found);
    }
  }

  #goOn(transport: Transport): void {
    this.#away = null;
    this.#transport = transport;
    this.#listen();
    this.#startLookout();
    this.look().catch(this.#onError);
  }

  /** Wait until a broken link is made anew, or given up. */
  async #isBack(timeout: number): Promise<void> {
    const back = new Expected<null>("the link made anew", { timeout });
    void this.#back.then(() => back.settle(null));
    await back.promise;
  }

  #startLookout(): void {
    const { host } = this.#options;
    this.#stopLookout();
    if (host === undefined || this.closed || this.#away !== null) return;
    this.#stopLookout = lookOut(
      () => host.isThere(),
      () => this.#loseKernel("shut down"),
    );
  }

  /** Close the link, or stop making it anew. */
  #closeLink(): void {
    if (this.#away === null) this.#transport.close();
    else this.#end(new TransportClosed("closed here"));
  }

  #end(error: TsushinError): void {
    this.#ended ??= error;
    this.#away?.abort();
    this.#away = null;
    this.#stopLookout();
    this.#forgetPage();
    const reason = error instanceof TransportClosed ? "the link was closed" : LINK_LOST;
    this.comm_manager.lose(reason, this.#ended);
    this.#requests.end(this.#ended);
    if (this.#status !== "dead") this.#setStatus("disconnected");
  }

  #setStatus(status: KernelStatus): void {
    if (status === this.#status) return;
    this.#status = status;
    this.#guard(() => this.#options.on_status?.(status));
  }
}

const LINK_LOST = "the link was lost";

const GONE: Readonly<Record<KernelGoneWhy, string>> = {
  restarted: "was restarted",
  died: "died",
  "shut down": "was shut down",
  forked: "was forked",
};

function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === "TimeoutError";
}

const STATES: readonly unknown[] = ["starting", "idle", "busy", "restarting", "dead"];

function isStatus(state: unknown): state is KernelStatus {
  return STATES.includes(state);
}
