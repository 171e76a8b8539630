from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path

import psutil
import pytest
from jupyter_core.paths import jupyter_data_dir

from tsushin import ConnectFailed, ExecutionError, connect

pytestmark = pytest.mark.interop


def kernels_of_this_process():
    """Return the kernels below this process: pid -> process."""
    children = psutil.Process().children(recursive=True)
    return {p.pid: p for p in children if "ipykernel_launcher" in " ".join(p.cmdline())}


@pytest.fixture
def kernelspec():
    """Install a kernelspec; gives a function of its argv that returns its name."""
    name = "tsushin-test"
    folder = Path(jupyter_data_dir(), "kernels", name)
    folder.mkdir(parents=True)

    def install(*argv):
        spec = {"argv": argv, "display_name": name, "language": "python"}
        (folder / "kernel.json").write_text(json.dumps(spec))
        return name

    yield install
    shutil.rmtree(folder)


async def test_kernel_ends_with_its_frontend():
    before = kernels_of_this_process()
    async with connect("python3") as fe:
        pid = int((await fe.execute("import os; os.getpid()")).result)
        assert pid in kernels_of_this_process()
    assert not psutil.pid_exists(pid)
    assert kernels_of_this_process().keys() == before.keys()


async def test_kernel_ends_when_the_block_raises():
    pids = []

    async def block():
        async with connect("python3") as fe:
            pids.append(int((await fe.execute("import os; os.getpid()")).result))
            await fe.execute("1/0")

    with pytest.raises(ExecutionError):
        await block()
    assert not psutil.pid_exists(pids[0])


@pytest.mark.parametrize("after_s", [0, 0.02, 0.1, 0.3])
async def test_no_process_stays_when_connecting_is_cancelled(after_s):
    before = kernels_of_this_process().keys()

    async def connecting():
        async with connect("python3"):
            await asyncio.Event().wait()

    task = asyncio.ensure_future(connecting())
    await asyncio.wait({task}, timeout=after_s)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert kernels_of_this_process().keys() == before


async def test_unknown_kernelspec_names_those_found():
    with pytest.raises(
        ConnectFailed, match=r"kernel 'nonesuch': no such kernelspec, found: .*python3"
    ):
        await connect("nonesuch")


async def test_kernel_that_ends_at_once_is_a_connect_failure(kernelspec):
    name = kernelspec(sys.executable, "-c", "raise SystemExit(3)")
    with pytest.raises(ConnectFailed, match="its process ended while it started"):
        await connect(name)


async def test_program_that_does_not_exist_is_a_connect_failure(kernelspec):
    with pytest.raises(ConnectFailed, match="no-such-program"):
        await connect(kernelspec("/no-such-program"))


async def test_program_that_is_no_kernel_is_given_up_and_ended(kernelspec):
    name = kernelspec(sys.executable, "-c", "import time; time.sleep(60)", "{connection_file}")
    with pytest.raises((ConnectFailed, TimeoutError), match="within 1 s"):
        await connect(name, timeout=1)
    sleepers = [p for p in psutil.Process().children() if "time.sleep(60)" in " ".join(p.cmdline())]
    assert sleepers == []


async def test_link_is_encrypted_where_the_kernelspec_says_it_can():
    async with connect("python3") as fe:
        assert fe._transport.info.curve is not None
        assert (await fe.execute("1")).result == "1"
