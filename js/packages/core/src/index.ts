/** The public face of `tsushin`: everything here is in `spec/api.json`. */
export { Comm } from "./comm.js";
export type {
  Buffers,
  CloseHandler,
  CommOptions,
  Data,
  GapHandler,
  MsgHandler,
  RequestHandler,
  SendOptions,
} from "./comm.js";
export { CommManager } from "./manager.js";
export type { CommManagerOptions, LoadTarget, Target } from "./manager.js";
export { connect } from "./frontend/connect.js";
export type { Frontend } from "./frontend/frontend.js";
export type * from "./frontend/types.js";
export { make_amd } from "./classic/amd.js";
export type { Amd, AmdOptions } from "./classic/amd.js";
export { make_jupyter } from "./classic/jupyter.js";
export type { JupyterOptions } from "./classic/jupyter.js";
export { run_script } from "./classic/script.js";
export { page_target_loader } from "./classic/target_module.js";
export type { TargetLoaderOptions } from "./classic/target_module.js";
export type * from "./classic/types.js";
export {
  CommClosed,
  CommNotOpen,
  ConnectFailed,
  DuplicateComm,
  ExecutionError,
  KernelGone,
  LimitExceeded,
  LocalProtocolError,
  NoHost,
  NoPeer,
  PeerError,
  ProtocolError,
  QueueFull,
  RemoteError,
  RemoteProtocolError,
  SignatureError,
  TransportClosed,
  TransportError,
  TransportLost,
  TsushinError,
  UnknownTarget,
  Unsupported,
  WireError,
} from "./errors.js";
export type { ClosedBy, KernelGoneWhy } from "./errors.js";
export type { Peer } from "./peers.js";
export type { Limits } from "./protocol/limits.js";
export type * from "./protocol/messages.js";
export type { OnUnknown } from "./protocol/routing.js";
export type { RequestContext } from "./requests.js";
export type { PeerHandler } from "./sessions.js";
export type { WebSocketConstructor } from "./transports/websocket.js";
