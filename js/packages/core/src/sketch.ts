/** The shape of what the next commits bring; replaced by the real modules one by one. */
import type {
  ClassicMessage,
  JsonObject,
  MsgMessage,
  OpenMessage,
  CloseMessage,
} from "./protocol/messages.js";
import type {
  CommInfo,
  ConnectOptions,
  ExecuteOptions,
  ExecuteResult,
  KernelStatus,
} from "./frontend/types.js";
import type { BufferLike, Jupyter, ScriptScope } from "./classic/types.js";

export declare class Comm {
  readonly comm_id: string;
  readonly target_name: string;
  readonly primary: boolean;
  readonly closed: boolean;
  send(
    data?: JsonObject,
    metadata?: JsonObject | null,
    buffers?: readonly BufferLike[] | null,
  ): void;
  close(
    data?: JsonObject,
    metadata?: JsonObject | null,
    buffers?: readonly BufferLike[] | null,
  ): void;
  on_msg<F extends ((msg: MsgMessage) => unknown) | null>(f: F): F;
  on_close<F extends ((msg: CloseMessage) => unknown) | null>(f: F): F;
  expect_msg(timeout?: number): Promise<ClassicMessage>;
}
export declare class CommManager {
  register_target<F extends (comm: Comm, msg: OpenMessage) => unknown>(name: string, f: F): F;
  unregister_target(name: string): void;
  new_comm(
    target_name: string,
    data?: JsonObject,
    metadata?: JsonObject | null,
    buffers?: readonly BufferLike[] | null,
    comm_id?: string | null,
  ): Comm;
  get_comm(comm_id: string): Comm | null;
}
export declare class Frontend implements Disposable {
  readonly comm_manager: CommManager;
  readonly kernel_id: string;
  readonly session: string;
  readonly status: KernelStatus;
  readonly closed: boolean;
  execute(code: string, options?: ExecuteOptions): Promise<ExecuteResult>;
  comms(target_name?: string | null): Promise<CommInfo>;
  expect_open(target_name: string, timeout?: number): Promise<Comm>;
  close(): Promise<void>;
  dispose(): void;
  [Symbol.dispose](): void;
}
export declare function connect(url: string, options?: ConnectOptions): Promise<Frontend>;
export declare function make_jupyter(frontend: Frontend): Jupyter;
/** Resolves with the script's last returned value; rejects with what it threw. */
export declare function run_script(code: string, scope: ScriptScope): Promise<unknown>;
