/**
 * The examples, as data. The first two are the flows of Jupyter's documentation, made to be run: their
 * code is the documented code, with something to see in every handler.
 */

export type CellName = "python" | "javascript";

export interface Step {
  readonly cell: CellName;
  /** What this step does, as a short clause. */
  readonly does: string;
}

export interface Flow {
  readonly id: string;
  readonly title: string;
  /** The cells in the order in which they must run. */
  readonly steps: readonly Step[];
  readonly python: string;
  readonly javascript: string;
}

const KERNEL_OPENS: Flow = {
  id: "kernel-opens",
  title: "Kernel opens",
  steps: [
    { cell: "javascript", does: "registers the target" },
    { cell: "python", does: "opens the comm" },
  ],
  javascript: `\
Jupyter.notebook.kernel.comm_manager.register_target('my_comm_target',
  function(comm, msg) {
    // comm is the frontend comm instance
    // msg is the comm_open message, which can carry data
    console.log('opened with', msg.content.data);

    // Register handlers for later messages:
    comm.on_msg(function(msg) {
      console.log('received', msg.content.data);
      comm.send({'foo': msg.content.data.foo * 10});
    });
    comm.on_close(function(msg) {
      console.log('closed with', msg.content.data);
    });
    comm.send({'foo': 0});
  });`,
  python: `\
from ipykernel.comm import Comm

# Use comm to send a message from the kernel
my_comm = Comm(target_name='my_comm_target', data={'foo': 1})
my_comm.send({'foo': 2})

# Add a callback for received messages.
@my_comm.on_msg
def _recv(msg):
    # Use msg['content']['data'] for the data in the message
    foo = msg['content']['data']['foo']
    print('received', foo)
    if foo == 20:
        my_comm.send({'foo': 3})
    elif foo == 30:
        my_comm.close({'bye': 'from the kernel'})`,
};

const PAGE_OPENS: Flow = {
  id: "page-opens",
  title: "Page opens",
  steps: [
    { cell: "python", does: "registers the target" },
    { cell: "javascript", does: "opens the comm" },
  ],
  python: `\
def target_func(comm, msg):
    # comm is the kernel Comm instance
    # msg is the comm_open message
    print('opened with', msg['content']['data'])

    # Register handler for later messages
    @comm.on_msg
    def _recv(msg):
        # Use msg['content']['data'] for the data in the message
        foo = msg['content']['data']['foo']
        print('received', foo)
        comm.send({'foo': foo * 10})

    # Send data to the frontend
    comm.send({'foo': 5})

get_ipython().kernel.comm_manager.register_target('my_comm_target', target_func)`,
  javascript: `\
comm = Jupyter.notebook.kernel.comm_manager.new_comm('my_comm_target',
                                                     {'foo': 6})
// Send data
comm.send({'foo': 7})

// Register a handler
comm.on_msg(function(msg) {
    console.log(msg.content.data.foo);
    if (msg.content.data.foo === 70) comm.send({'foo': 8});
    if (msg.content.data.foo === 80) comm.close({'bye': 'from the page'});
});`,
};

const BUFFERS: Flow = {
  id: "buffers",
  title: "Binary buffers",
  steps: [
    { cell: "python", does: "registers an echo" },
    { cell: "javascript", does: "sends 0 B, 64 KiB, 5 MiB" },
  ],
  python: `\
import hashlib

def echo(comm, msg):
    @comm.on_msg
    def _recv(msg):
        for buffer in msg['buffers']:
            size = memoryview(buffer).nbytes
            digest = hashlib.sha256(buffer).hexdigest()
            print(f'{size:>9,} B  sha256 {digest[:16]}')
        comm.send({'echo': True}, metadata=msg['metadata'],
                  buffers=msg['buffers'])

get_ipython().kernel.comm_manager.register_target('buffers', echo)`,
  javascript: `\
const sent = [0, 64 * 1024, 5 * 1024 * 1024].map(function(size) {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65536)
    crypto.getRandomValues(bytes.subarray(at, at + 65536));
  return bytes;
});

const comm = Jupyter.notebook.kernel.comm_manager.new_comm('buffers');
comm.on_msg(function(msg) {
  console.log('metadata', msg.metadata);
  msg.buffers.forEach(function(b, i) {
    const back = new Uint8Array(b.buffer, b.byteOffset, b.byteLength);
    const same = back.length === sent[i].length &&
                 back.every((byte, at) => byte === sent[i][at]);
    console.log(back.length + ' B:', same ? 'byte-equal' : 'DIFFERENT');
  });
  comm.close();
});
// data, callbacks, metadata, buffers: the classic order
comm.send({'how many': sent.length}, null, {'from': 'the page'}, sent);`,
};

const CLOSING: Flow = {
  id: "closing",
  title: "Close from either side",
  steps: [
    { cell: "javascript", does: "registers the target" },
    { cell: "python", does: "opens two comms" },
  ],
  javascript: `\
Jupyter.notebook.kernel.comm_manager.register_target('closing',
  function(comm, msg) {
    comm.on_close(function(msg) {
      console.log('the kernel closed with', msg.content.data);
    });
    if (msg.content.data.who === 'page') {
      console.log('the page closes');
      comm.close({'reason': 'seen enough'});
    }
  });`,
  python: `\
from ipykernel.comm import Comm

by_kernel = Comm(target_name='closing', data={'who': 'kernel'})
by_kernel.close({'reason': 'nothing more to say'})

by_page = Comm(target_name='closing', data={'who': 'page'})

@by_page.on_close
def _closed(msg):
    print('the page closed with', msg['content']['data'])`,
};

/** Registers the target that the round-trip chart measures against, too. */
const PING_TARGET = `\
def ping(comm, msg):
    @comm.on_msg
    def _answer(msg):
        comm.send(msg['content']['data'], buffers=msg['buffers'])

get_ipython().kernel.comm_manager.register_target('ping', ping)`;

const PING: Flow = {
  id: "ping",
  title: "Round trips",
  steps: [
    { cell: "python", does: "registers a ping target" },
    { cell: "javascript", does: "measures 50 round trips" },
  ],
  python: PING_TARGET,
  javascript: `\
const comm = Jupyter.notebook.kernel.comm_manager.new_comm('ping');
const times = [];
let sentAt = 0;

function ping() {
  sentAt = performance.now();
  comm.send({'ping': times.length});
}

comm.on_msg(function(msg) {
  times.push(performance.now() - sentAt);
  if (times.length < 50) return ping();
  comm.close();
  times.sort((a, b) => a - b);
  console.log('median', times[25].toFixed(2), 'ms');
  console.log('slowest', times[49].toFixed(2), 'ms');
});

ping();`,
};

const ERRORS: Flow = {
  id: "errors",
  title: "Handlers that raise",
  steps: [
    { cell: "python", does: "registers handlers that raise" },
    { cell: "javascript", does: "provokes them" },
  ],
  python: `\
def refuses(comm, msg):
    raise ValueError('this target accepts nobody')

def fragile(comm, msg):
    @comm.on_msg
    def _recv(msg):
        n = msg['content']['data']['n']
        print('1 /', n, '=', 1 / n)
        comm.send({'still': 'open'})

comm_manager = get_ipython().kernel.comm_manager
comm_manager.register_target('refuses', refuses)
comm_manager.register_target('fragile', fragile)`,
  javascript: `\
const comm_manager = Jupyter.notebook.kernel.comm_manager;

// An open handler that raises closes the comm.
comm_manager.new_comm('refuses').on_close(function(msg) {
  console.log('refused; metadata:', msg.metadata);
});

// A message handler that raises is reported; the comm stays open.
const comm = comm_manager.new_comm('fragile');
comm.on_msg(function(msg) {
  console.log('the kernel is', msg.content.data);
  comm.close();
  msg.content.data.no.such.thing;
});
comm.send({'n': 0});
comm.send({'n': 4});`,
};

const DISPLAYED: Flow = {
  id: "displayed",
  title: "Displayed JavaScript",
  steps: [{ cell: "python", does: "displays a script that opens a comm" }],
  python: `\
from IPython.display import Javascript, display

def clicks(comm, msg):
    @comm.on_msg
    def _recv(msg):
        times = msg['content']['data']['times']
        print('click', times)
        comm.send({'label': f'The kernel counted {times}'})

get_ipython().kernel.comm_manager.register_target('clicks', clicks)

display(Javascript("""
  let times = 0;
  const comm = Jupyter.notebook.kernel.comm_manager.new_comm('clicks');
  const button = document.createElement('button');
  button.className = 'button small';
  button.textContent = 'Click me';
  button.onclick = () => comm.send({times: ++times});
  comm.on_msg(msg => { button.textContent = msg.content.data.label; });
  element.append(button);
"""))`,
  javascript: `\
// Nothing to run here: the script is an output of the Python cell,
// and runs with Jupyter and element in scope.`,
};

/** Every example; the two documented flows first. */
export const FLOWS: readonly Flow[] = [
  KERNEL_OPENS,
  PAGE_OPENS,
  BUFFERS,
  CLOSING,
  PING,
  ERRORS,
  DISPLAYED,
];

/** Return the example with this id. Throws for an id that no example has. */
export function flowById(id: string): Flow {
  const flow = FLOWS.find((each) => each.id === id);
  if (flow) return flow;
  throw new Error(`flows: ${id}: expected one of ${FLOWS.map((each) => each.id).join(", ")}`);
}
