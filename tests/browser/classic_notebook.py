"""The notebook of the classic page, the same letter for letter in every frontend.

Each feature is a few cells and what both ends must have noted when they have run. `note` exists on both
sides: the page notes into `window.seen`, the kernel into `seen`, by feature. The cells use only what the
classic documentation names; nothing in them asks which frontend it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SETUP = [
    """
from ipykernel.comm import Comm

seen = {}

def note(feature, *what):
    seen.setdefault(feature, []).append(list(what))
""",
    """%%javascript
window.seen = {};
window.note = function(feature, ...what) {
    (window.seen[feature] = window.seen[feature] || []).push(what);
};
window.hex = function(view) {
    const bytes = view instanceof ArrayBuffer
        ? new Uint8Array(view) : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
};
""",
]


@dataclass(frozen=True)
class Cell:
    """One cell, and how many notes of its feature each end has once its effects are over."""

    source: str
    page: int = 0
    kernel: int = 0


@dataclass(frozen=True)
class Feature:
    """One line of the support table.

    Attributes:
        name: what the notes are filed under.
        about: the line of the table.
        page, kernel: all notes of that end, in order.
        shown: texts that the cells' outputs must contain.
        hidden: texts that they must not contain.
        needs_tsushin: in the kernel.
        not_in: frontend -> why it cannot have this.
    """

    name: str
    about: str
    cells: list[Cell]
    page: list = field(default_factory=list)
    kernel: list = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    needs_tsushin: bool = False
    not_in: dict[str, str] = field(default_factory=dict)


KERNEL_OPENS = Feature(
    "kernel-opens",
    "the kernel opens: `from ipykernel.comm import Comm`, target registered by `%%javascript`",
    [
        Cell("""%%javascript
Jupyter.notebook.kernel.comm_manager.register_target('my_comm_target',
    function(comm, msg) {
        // comm is the frontend comm instance
        // msg is the comm_open message, which can carry data
        note('kernel-opens', 'open', msg.content.data);

        // Register handlers for later messages:
        comm.on_msg(function(msg) { note('kernel-opens', 'msg', msg.content.data); });
        comm.on_close(function(msg) { note('kernel-opens', 'close', msg.content.data); });
        comm.send({'foo': 0});
    });
"""),
        Cell(
            """
from ipykernel.comm import Comm

# Use comm to send a message from the kernel
my_comm = Comm(target_name='my_comm_target', data={'foo': 1})
my_comm.send({'foo': 2})

# Add a callback for received messages.
@my_comm.on_msg
def _recv(msg):
    # Use msg['content']['data'] for the data in the message
    note('kernel-opens', msg['content']['data'])
""",
            page=2,
            kernel=1,
        ),
        Cell("my_comm.close({'bye': 1})", page=3),
    ],
    page=[["open", {"foo": 1}], ["msg", {"foo": 2}], ["close", {"bye": 1}]],
    kernel=[[{"foo": 0}]],
)

TSUSHIN_OPENS = Feature(
    "tsushin-opens",
    "the kernel opens: `from tsushin import Comm`",
    [
        Cell("""%%javascript
Jupyter.notebook.kernel.comm_manager.register_target('tsushin_target', function(comm, msg) {
    note('tsushin-opens', msg.content.data);
    comm.on_msg(function(msg) {
        note('tsushin-opens', msg.content.data);
        comm.send({'back': msg.content.data.n});
    });
    comm.on_close(function(msg) { note('tsushin-opens', 'close', msg.content.data); });
});
"""),
        Cell(
            """
import tsushin

with_tsushin = tsushin.Comm('tsushin_target', data={'n': 0})

@with_tsushin.on_msg
def from_page(msg):
    note('tsushin-opens', msg['content']['data'])

for n in (1, 2, 3):
    with_tsushin.send({'n': n})
""",
            page=4,
            kernel=3,
        ),
        Cell("with_tsushin.close({'bye': 2})", page=5),
    ],
    page=[[{"n": 0}], [{"n": 1}], [{"n": 2}], [{"n": 3}], ["close", {"bye": 2}]],
    kernel=[[{"back": 1}], [{"back": 2}], [{"back": 3}]],
    needs_tsushin=True,
)

PAGE_OPENS = Feature(
    "page-opens",
    "the page opens: `new_comm`, target registered in the kernel",
    [
        Cell("""
def target_func(comm, msg):
    # comm is the kernel Comm instance
    # msg is the comm_open message
    note('page-opens', 'open', msg['content']['data'])

    # Register handler for later messages
    @comm.on_msg
    def _recv(msg):
        # Use msg['content']['data'] for the data in the message
        note('page-opens', 'msg', msg['content']['data'])

    # Send data to the frontend
    comm.send({'foo': 5})

get_ipython().kernel.comm_manager.register_target('my_comm_target', target_func)
"""),
        Cell(
            """%%javascript
var comm = Jupyter.notebook.kernel.comm_manager.new_comm('my_comm_target',
                                                         {'foo': 6})
// Send data
comm.send({'foo': 7})

// Register a handler
comm.on_msg(function(msg) {
    console.log(msg.content.data.foo);
    note('page-opens', msg.content.data);
});
""",
            page=1,
            kernel=2,
        ),
    ],
    page=[[{"foo": 5}]],
    kernel=[["open", {"foo": 6}], ["msg", {"foo": 7}]],
)

BARE_NAME = Feature(
    "bare-assignment",
    "the documented `comm = …new_comm(…)`, without `var`",
    [
        Cell(
            "get_ipython().kernel.comm_manager.register_target('bare', lambda comm, msg: note("
            "'bare-assignment', msg['content']['data']))"
        ),
        Cell(
            """%%javascript
comm = Jupyter.notebook.kernel.comm_manager.new_comm('bare',
                                                     {'foo': 6})
""",
            kernel=1,
        ),
    ],
    kernel=[[{"foo": 6}]],
)

CLOSES = Feature(
    "closes",
    "either side closes what either side opened; `on_close` with the data",
    [
        Cell("""%%javascript
Jupyter.notebook.kernel.comm_manager.register_target('closes', function(comm, msg) {
    note('closes', 'open', msg.content.data);
    comm.on_close(function(msg) { note('closes', 'close', msg.content.data); });
    if (msg.content.data.page_closes) { comm.close({'by': 'page'}); }
});
"""),
        Cell(
            """
def closes(comm, msg):
    comm.on_close(lambda msg: note('closes', msg['content']['data']))
    if msg['content']['data'].get('kernel_closes'):
        comm.close({'by': 'kernel'})

get_ipython().kernel.comm_manager.register_target('closes', closes)

closed_by_page = Comm(target_name='closes', data={'page_closes': True})
closed_by_page.on_close(lambda msg: note('closes', msg['content']['data']))
""",
            page=1,
            kernel=1,
        ),
        Cell(
            """%%javascript
const closing = Jupyter.notebook.kernel.comm_manager.new_comm('closes', {'kernel_closes': true});
closing.on_close(function(msg) { note('closes', 'close', msg.content.data); });
""",
            page=2,
            kernel=1,
        ),
        Cell(
            """%%javascript
const other = Jupyter.notebook.kernel.comm_manager.new_comm('closes', {});
other.close({'by': 'the page that opened'});
""",
            page=2,
            kernel=2,
        ),
    ],
    page=[["open", {"page_closes": True}], ["close", {"by": "kernel"}]],
    kernel=[[{"by": "page"}], [{"by": "the page that opened"}]],
)

METADATA = Feature(
    "metadata",
    "metadata of open, msg and close, both ways",
    [
        Cell("""%%javascript
Jupyter.notebook.kernel.comm_manager.register_target('metadata', function(comm, msg) {
    note('metadata', msg.metadata.m);
    comm.on_msg(function(msg) {
        note('metadata', msg.metadata.m);
        comm.send({}, undefined, {'m': 11});
        comm.close({}, undefined, {'m': 12});
    });
});
"""),
        Cell(
            """
def metadata_of(msg):
    note('metadata', msg['metadata'].get('m'))

get_ipython().kernel.comm_manager.register_target('metadata', lambda comm, msg: metadata_of(msg))

marked = Comm(target_name='metadata', metadata={'m': 1})
marked.on_msg(metadata_of)
marked.on_close(metadata_of)
marked.send({}, metadata={'m': [2]})
""",
            page=2,
            kernel=2,
        ),
        Cell(
            """%%javascript
Jupyter.notebook.kernel.comm_manager.new_comm('metadata', {}, undefined, {'m': 10});
""",
            page=2,
            kernel=3,
        ),
    ],
    page=[[1], [[2]]],
    kernel=[[11], [12], [10]],
)

MIB = 1 << 20

BUFFERS = Feature(
    "buffers",
    "buffers both ways, byte-equal, as `DataView` in handlers",
    [
        Cell("""%%javascript
Jupyter.notebook.kernel.comm_manager.register_target('buffers', function(comm, msg) {
    comm.on_msg(function(msg) {
        note('buffers', msg.buffers.map((view) => view instanceof DataView),
             msg.buffers.map((view) => view.byteLength), hex(msg.buffers[1]));
        comm.send({}, undefined, {}, msg.buffers);
        comm.send({}, undefined, {}, [new Uint8Array([1, 2, 3]).buffer, new Float32Array([1.5])]);
    });
});
"""),
        Cell(
            """
big = bytes(range(256)) * 4096
with_buffers = Comm(target_name='buffers')

@with_buffers.on_msg
def got_buffers(msg):
    got = [bytes(view) for view in msg['buffers']]
    note('buffers', [len(each) for each in got], [each.hex() for each in got if len(each) < 9],
         big in got)

with_buffers.send({}, buffers=[b'', b'\\x00\\xff\\x10', big])
""",
            page=1,
            kernel=2,
        ),
    ],
    page=[[[True, True, True], [0, 3, MIB], "00ff10"]],
    kernel=[[[0, 3, MIB], ["", "00ff10"], True], [[3, 4], ["010203", "0000c03f"], False]],
)

VIEWS = Feature(
    "views",
    "buffers that are views of a part of an array, byte-equal",
    [
        Cell(
            "get_ipython().kernel.comm_manager.register_target('views', lambda comm, msg: "
            "note('views', [bytes(view).hex() for view in msg['buffers']]))"
        ),
        Cell(
            """%%javascript
const whole = Uint8Array.from({'length': 16}, (_, i) => i);
const floats = new Float32Array([1, 2, 3]).subarray(1, 2);
Jupyter.notebook.kernel.comm_manager.new_comm('views', {}, undefined, {}, undefined,
    [whole.subarray(2, 5), new DataView(whole.buffer, 14), floats]);
""",
            kernel=1,
        ),
    ],
    kernel=[[["020304", "0e0f", "00000040"]]],
    not_in={"nbclassic": "its serializer sends the whole array behind a view"},
)

# The files that target_module names, beside the notebook.
FILES = {
    "by_url.mjs": """
export function es_module_target(comm, msg) {
  note("es-module", msg.content.data);
  comm.on_msg((msg) => comm.send({ back: msg.content.data }));
}
""",
    "by_url.js": """
define([], function() {
    return {'amd_url_target': function(comm, msg) {
        note('amd-url', msg.content.data);
        comm.on_msg(function(msg) { comm.send({'back': msg.content.data}); });
    }};
});
""",
    "by_name.js": """
define([], function() {
    return {'amd_name_target': function(comm, msg) {
        note('amd-name', msg.content.data);
        comm.on_msg(function(msg) { comm.send({'back': msg.content.data}); });
    }};
});
""",
    "failing.js": """
throw new Error('this module fails on purpose');
""",
}


def module_cell(feature, target, module):
    """A cell that opens a comm by its module, sends, and notes what comes back."""
    return Cell(
        f"""
by_module = Comm(target_name='{target}', target_module='{module}', data={{'x': 1}})
by_module.on_msg(lambda msg: note('{feature}', msg['content']['data']))
by_module.send({{'n': 1}})
""",
        page=1,
        kernel=1,
    )


ECHOED = {"page": [[{"x": 1}]], "kernel": [[{"back": {"n": 1}}]]}

ES_MODULE = Feature(
    "es-module",
    "`target_module`: an ES module by its address",
    [module_cell("es-module", "es_module_target", "/files/by_url.mjs")],
    **ECHOED,
    not_in={"nbclassic": "requirejs does not load ES modules; the page stops handling messages"},
)

AMD_URL = Feature(
    "amd-url",
    "`target_module`: an AMD module by its address",
    [module_cell("amd-url", "amd_url_target", "/files/by_url.js")],
    **ECHOED,
)

AMD_NAME = Feature(
    "amd-name",
    "`target_module`: an AMD module by its name, `require.config`",
    [
        Cell("%%javascript\nrequire.config({'paths': {'by_name': '/files/by_name'}});\n"),
        module_cell("amd-name", "amd_name_target", "by_name"),
    ],
    **ECHOED,
)

FAILING_MODULE = Feature(
    "failing-module",
    "`target_module` that fails: the comm is closed with the reason",
    [
        Cell(
            """
failing = Comm(target_name='failing_target', target_module='/files/failing.js')

@failing.on_close
def failed(msg):
    error = msg['metadata'].get('tsushin', {}).get('error', {})
    note('failing-module', 'fails on purpose' in error.get('message', ''))
""",
            kernel=1,
        ),
        Cell("note('failing-module', 'the next cell runs')", kernel=2),
    ],
    kernel=[[True], ["the next cell runs"]],
    not_in={"nbclassic": "nothing is answered; the page stops handling messages"},
)

DISPLAYED = Feature(
    "displayed",
    "`IPython.display.Javascript`, as a value and by `display`",
    [
        Cell(
            """
from IPython.display import Javascript, display

display(Javascript("note('displayed', 1, typeof Jupyter.notebook.kernel.comm_manager.new_comm)"))
Javascript("note('displayed', 2)")
""",
            page=2,
        )
    ],
    page=[[1, "function"], [2]],
)

ELEMENT = Feature(
    "element",
    "`element`: the script writes into its own output",
    [Cell("%%javascript\nelement.append('written by ' + ['the', 'script'].join(' '));\n")],
    shown=["written by the script"],
)

EXECUTE = Feature(
    "execute",
    "`Jupyter.notebook.kernel.execute(code, callbacks)`",
    [
        Cell(
            """%%javascript
const got = {};
function noteBoth() {  // the reply and the output come on two channels, in no order
    if (got.status && got.text) { note('execute', got.status, got.type, got.text); }
}
Jupyter.notebook.kernel.execute('print(6 * 7)', {
    'shell': {'reply': function(msg) { got.status = msg.content.status; noteBoth(); }},
    'iopub': {'output': function(msg) {
        got.type = msg.msg_type;
        got.text = msg.content.text;
        noteBoth();
    }},
});
""",
            page=1,
        )
    ],
    page=[["ok", "stream", "42\n"]],
)

TOP_LEVEL_AWAIT = Feature(
    "top-level-await",
    "`await` at the top of a script",
    [
        Cell(
            "%%javascript\nconst answer = await Promise.resolve(42);\nnote('top-level-await', answer);\n",
            page=1,
        )
    ],
    page=[[42]],
    not_in={"nbclassic": "its scripts are run by `eval`: a syntax error is shown"},
)

SCRIPT_ERROR = Feature(
    "script-error",
    "an error in a script is shown in the output, and the next script runs",
    [
        Cell("%%javascript\nthrow new Error('on ' + 'purpose');\n"),
        Cell("%%javascript\nnote('script-error', 'the next script runs');\n", page=1),
    ],
    page=[["the next script runs"]],
    shown=["on purpose"],
)

FEATURES = [
    KERNEL_OPENS,
    TSUSHIN_OPENS,
    PAGE_OPENS,
    BARE_NAME,
    CLOSES,
    METADATA,
    BUFFERS,
    VIEWS,
    AMD_URL,
    AMD_NAME,
    ES_MODULE,
    FAILING_MODULE,
    DISPLAYED,
    ELEMENT,
    EXECUTE,
    TOP_LEVEL_AWAIT,
    SCRIPT_ERROR,
]


def cells():
    """Every cell of the notebook, in order."""
    return [*SETUP, *(cell.source for feature in FEATURES for cell in feature.cells)]


def first_cell(feature):
    """The index of a feature's first cell."""
    before = FEATURES[: FEATURES.index(feature)]
    return len(SETUP) + sum(len(each.cells) for each in before)
