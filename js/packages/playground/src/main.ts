/** Puts the page together: what happens on the link goes to the timeline, the wire and the cells. */
import type { CommManager, Frontend, Jupyter, Message } from "tsushin";
import { Cell } from "./cells/cell.js";
import {
  javascriptRunner,
  jupyterOf,
  runDisplayed,
  showScriptError,
} from "./cells/run_javascript.js";
import { pythonRunner } from "./cells/run_python.js";
import { takeAddress } from "./connection/address.js";
import { Connection } from "./connection/connection.js";
import { outputOf } from "./connection/handler_output.js";
import { ConnectionIndicator } from "./connection/indicator.js";
import { Server } from "./connection/server.js";
import { find } from "./dom.js";
import { FlowBar } from "./flow_bar.js";
import { flowById } from "./flows.js";
import { PING_TARGET } from "./roundtrip/ping.js";
import { RoundTripPanel } from "./roundtrip/panel.js";
import { wireThemeToggle } from "./theme.js";
import { TimelineModel, type Direction } from "./timeline/model.js";
import { TimelineView } from "./timeline/view.js";
import { Wire } from "./wire.js";

declare global {
  interface Window {
    /** What this page is attached to, for the browser's console and for tests. */
    tsushin: { frontend: Frontend; Jupyter: Jupyter; manager: CommManager } | undefined;
  }
}

const address = takeAddress();
const server = new Server(address.base, address.token);
const model = new TimelineModel();
const timeline = new TimelineView(model, PING_TARGET);
const wire = new Wire(model);
const indicator = new ConnectionIndicator();

const frontend = (): Frontend | null => connection.frontend;
const displayed = (code: string, element: HTMLElement): void => {
  void runDisplayed(code, { frontend: frontend(), cell: python, element });
};
const firstFlow = flowById("kernel-opens");
const python = new Cell("python", firstFlow, pythonRunner(frontend), displayed);
const javascript = new Cell("javascript", firstFlow, javascriptRunner(frontend), displayed);
const flowBar = new FlowBar({ python, javascript }, firstFlow);
const roundTrips = new RoundTripPanel(frontend);

const connection = new Connection(
  { base: address.base, token: address.token, server },
  {
    changed: (state, kernels) => {
      indicator.show(state, kernels);
      if (state.state !== "connected") roundTrips.stop();
      flowBar.enable(state.state === "connected");
    },
    attached: (attached) => {
      const Jupyter = jupyterOf(attached);
      window.tsushin = { frontend: attached, Jupyter, manager: attached.comm_manager };
    },
    trace: (direction, message, at_ms) => {
      record(direction === "sent" ? "page-to-kernel" : "kernel-to-page", message, at_ms);
    },
    failed: (error) => showScriptError(error, javascript),
  },
);

function record(direction: Direction, message: Message, at_ms: number): void {
  const entry = model.record(direction, message, at_ms);
  if (entry) {
    timeline.add(entry);
    wire.add(entry);
  }
  const output = direction === "kernel-to-page" ? outputOf(message, frontend()?.session) : null;
  if (output) python.output.show(output);
}

find("timeline-clear", HTMLButtonElement).addEventListener("click", () => {
  model.clear();
  timeline.clear();
  wire.show();
});
find("stop-python", HTMLButtonElement).addEventListener("click", () => {
  connection.interrupt().catch((error: unknown) => python.output.note(String(error)));
});
// What scripts start for later (timers, promises) ends here when it throws.
window.addEventListener("error", (event) =>
  showScriptError(event.error ?? event.message, javascript),
);
window.addEventListener("unhandledrejection", (event) => showScriptError(event.reason, javascript));

indicator.wire(connection);
wireThemeToggle(find("theme-toggle", HTMLButtonElement), () => roundTrips.recolor());
void connection.attach(address.kernel_id);
