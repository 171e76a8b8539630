// The JavaScript frontend at one kernel of a server: `node link.mjs <index.js> <url> <token> <kernel> [lane]`.
// Does what each line of its input says, and prints what it hears, one JSON object a line; the Python test judges.
import readline from "node:readline";
import { WebSocket } from "ws";

const [index, url, token, kernel_id, lane] = process.argv.slice(2);
const { connect } = await import(index);
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const frontend = await connect(url, {
  token,
  kernel_id,
  WebSocket,
  lane: lane === "lane",
  on_status: (status) => status === "disconnected" && say({ status }),
});
let comm = null;
let gotten = 0;
frontend.comm_manager.register_target("burst", (opened) => {
  comm = opened;
  comm.on_msg((msg) => {
    gotten += 1;
    say({ got: msg.content.data.n });
  });
  comm.on_gap((missed) => say({ gap: missed }));
  comm.on_close((msg) =>
    say({ closed_by: comm.closed_by, tsushin: msg.metadata.tsushin ?? null }),
  );
  say({ opened: comm.comm_id });
});

/** Whether the kernel's end and this one know each other. */
async function joined() {
  if (frontend.comm_manager.peers.length > 0) return;
  await new Promise((resolve) =>
    frontend.comm_manager.on_peer((_peer, is_live) => is_live && resolve()),
  );
}

/** Whether there is a lane; until then, or until there is none, it looks again and again. */
async function hasLane(state) {
  const wanted = state === "up";
  while (frontend.has_lane !== wanted) await new Promise((resolve) => setTimeout(resolve, 5));
  say({ has_lane: wanted });
}

const commands = {
  lane: hasLane,
  // In one go: the messages leave before the code does, and the code before the comm is opened.
  order: async (n) => {
    comm.send({ n });
    const executed = frontend.execute("heard[-1], register()");
    const opened = frontend.comm_manager.new_comm("late");
    say({ order: (await executed).result, late: await opened.request("echo", { n }) });
  },
  bursts: async (code) => {
    const before = gotten;
    await frontend.execute(code);
    say({ during: gotten - before });
  },
  join: () => joined().then(() => say({ joined: true })),
  send: (numbers) => numbers.forEach((n) => comm.send({ n })),
  execute: (code) =>
    frontend.execute(code).then(
      ({ result }) => say({ result }),
      (error) => say({ error: error.code ?? error.name }),
    ),
  request: () =>
    comm.request("double", { n: 21 }, { timeout: Infinity }).then(
      (answer) => say({ answer }),
      (error) => say({ request_error: error.code ?? error.name }),
    ),
  state: () => say({ closed: frontend.closed, comm_closed: comm.closed }),
  close: async () => {
    await frontend.close();
    process.exit(0);
  },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const [name, argument] = JSON.parse(line);
  void commands[name](argument); // several may be under way
}
