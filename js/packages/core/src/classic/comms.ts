/** Comms and their manager with the argument order of the classic notebook. */
import { Comm } from "../comm.js";
import type { WaitOptions } from "../expected.js";
import type { Frontend } from "../frontend/frontend.js";
import type { PageMemory } from "./page_memory.js";
import type { CommManager, Target } from "../manager.js";
import type { Encoded } from "../protocol/buffers.js";
import { encodeData } from "../protocol/buffers.js";
import type { JsonObject } from "../protocol/messages.js";
import type { BufferLike } from "../protocol/views.js";
import type { Stream, StreamOptions } from "../streams.js";
import { CallbackRegistry } from "./callbacks.js";
import { lenientData, pageMessage } from "./pages.js";
import type {
  Callbacks,
  ClassicComm,
  ClassicCommManager,
  ClassicTarget,
  LoadClassicTarget,
  PageCallback,
  PageRequestHandler,
} from "./types.js";

type Maybe<T> = T | null | undefined;
type NewCommArguments = Parameters<ClassicCommManager["new_comm"]>;

function encode(data: unknown, metadata: unknown, buffers: Maybe<readonly BufferLike[]>): Encoded {
  return encodeData(lenientData(data), lenientData(metadata), buffers ?? null);
}

/** One comm as the page sees it. */
class PageComm implements ClassicComm {
  readonly #comm: Comm;
  readonly #manager: CommManager;
  readonly #callbacks: CallbackRegistry;
  readonly #memory: PageMemory | null;

  constructor(
    comm: Comm,
    manager: CommManager,
    callbacks: CallbackRegistry,
    memory: PageMemory | null,
  ) {
    this.#comm = comm;
    this.#manager = manager;
    this.#callbacks = callbacks;
    this.#memory = memory;
  }

  get comm_id(): string {
    return this.#comm.comm_id;
  }

  get target_name(): string {
    return this.#comm.target_name;
  }

  open(
    data?: JsonObject,
    callbacks?: Maybe<Callbacks>,
    metadata?: Maybe<JsonObject>,
    buffers?: Maybe<readonly BufferLike[]>,
  ): string {
    const msg_id = this.#manager.openComm(this.#comm, encode(data, metadata, buffers));
    this.#callbacks.watch(msg_id, callbacks);
    return msg_id;
  }

  send(
    data?: JsonObject,
    callbacks?: Maybe<Callbacks>,
    metadata?: Maybe<JsonObject>,
    buffers?: Maybe<readonly BufferLike[]>,
  ): string {
    // Statuses and outputs come for what goes by the standard route only.
    const ways = { always: true, isPlain: callbacks != null };
    const msg_id = this.#manager.sendComm(this.#comm, encode(data, metadata, buffers), ways);
    this.#callbacks.watch(msg_id, callbacks);
    return msg_id;
  }

  /** A second call does nothing and returns "". */
  close(
    data?: JsonObject,
    callbacks?: Maybe<Callbacks>,
    metadata?: Maybe<JsonObject>,
    buffers?: Maybe<readonly BufferLike[]>,
  ): string {
    if (this.#comm.closed) return "";
    const msg_id = this.#manager.closeComm(this.#comm, encode(data, metadata, buffers));
    this.#memory?.closed(this.comm_id);
    this.#callbacks.watch(msg_id, callbacks);
    return msg_id;
  }

  on_msg(callback: PageCallback): void {
    this.#comm.on_msg((msg) => callback(pageMessage(msg)));
  }

  on_close(callback: PageCallback): void {
    this.#comm.on_close((msg) => callback(pageMessage(msg)));
  }

  request(name: string, data?: Maybe<JsonObject>, options?: WaitOptions): Promise<unknown> {
    return this.#comm.request(name, data ?? null, options);
  }

  stream(name: string, data?: Maybe<JsonObject>, options?: StreamOptions): Stream {
    return this.#comm.stream(name, data ?? null, options);
  }

  handle(name: string, f: PageRequestHandler): void {
    this.#comm.handle(name, (msg, context) => f(pageMessage(msg), context));
  }
}

/** The classic manager on top of a frontend's own: the same comms and targets, by other names. */
export class PageCommManager implements ClassicCommManager {
  readonly #manager: CommManager;
  readonly #callbacks: CallbackRegistry;
  readonly #memory: PageMemory | null;
  readonly #pageComms = new WeakMap<Comm, ClassicComm>();
  readonly #comms = new WeakMap<ClassicComm, Comm>();
  readonly #targets = new Map<string, ClassicTarget>();

  /** With `load_target`, the frontend's targets are found by their module from now on. */
  constructor(
    frontend: Frontend,
    callbacks: CallbackRegistry,
    { memory, load_target }: { memory?: PageMemory; load_target?: LoadClassicTarget } = {},
  ) {
    this.#manager = frontend.comm_manager;
    this.#callbacks = callbacks;
    this.#memory = memory ?? null;
    if (load_target === undefined) return;
    this.#manager.load_target = async (target_module, target_name) =>
      this.#wrapped(await load_target(target_module, target_name));
  }

  get comms(): Record<string, Promise<ClassicComm>> {
    const open = [...this.#manager.comms.values()];
    return Object.fromEntries(
      open.map((comm) => [comm.comm_id, Promise.resolve(this.#pageComm(comm))]),
    );
  }

  get targets(): Record<string, ClassicTarget> {
    return Object.fromEntries(this.#targets);
  }

  register_target(target_name: string, f: ClassicTarget): void {
    this.#manager.register_target(target_name, this.#wrapped(f));
    this.#targets.set(target_name, f);
  }

  /** Unknown names are passed over, as the classic notebook did. */
  unregister_target(target_name: string, f?: ClassicTarget): void {
    if (f !== undefined && this.#targets.get(target_name) !== f) return;
    if (this.#targets.delete(target_name)) this.#manager.unregister_target(target_name);
  }

  new_comm(...args: NewCommArguments): ClassicComm {
    return this.newComm(null, ...args);
  }

  /**
   * `new_comm` of a script: `call` tells script and call apart from all others, the same after a reload.
   * Then the comm that it opened before the reload goes on, if the kernel still has it.
   */
  newComm(
    call: string | null,
    ...[target_name, data, callbacks, metadata, comm_id, buffers]: NewCommArguments
  ): ClassicComm {
    const options = { manager: this.#manager };
    const earlier = comm_id == null && call !== null ? this.#memory?.claim(call) : null;
    const id = comm_id ?? earlier ?? null;
    const own = new Comm(target_name, null, null, null, id, false, null, options);
    const comm = this.#pageComm(own);
    comm.open(data, callbacks, metadata, buffers);
    this.#memory?.opened(comm.comm_id, call);
    return comm;
  }

  register_comm(comm: ClassicComm): string {
    const own = this.#own(comm);
    if (this.#manager.get_comm(own.comm_id) !== own) this.#manager.register_comm(own);
    return own.comm_id;
  }

  unregister_comm(comm: ClassicComm): void {
    const own = this.#own(comm);
    if (this.#manager.get_comm(own.comm_id) === own) this.#manager.unregister_comm(own);
  }

  /** The target as the frontend's own manager calls it. */
  #wrapped(f: ClassicTarget): Target {
    return (comm, msg) => f(this.#pageComm(comm), pageMessage(msg));
  }

  #pageComm(comm: Comm): ClassicComm {
    const known = this.#pageComms.get(comm);
    if (known !== undefined) return known;
    const made = new PageComm(comm, this.#manager, this.#callbacks, this.#memory);
    this.#pageComms.set(comm, made);
    this.#comms.set(made, comm);
    return made;
  }

  #own(comm: ClassicComm): Comm {
    const own = this.#comms.get(comm);
    if (own === undefined) throw new TypeError("comm: expected one that this manager made");
    return own;
  }
}
