from __future__ import annotations

import asyncio
import os
import signal

import pytest
from jupyter_client.manager import AsyncKernelManager

from flows import frontend_opens, kernel_opens, value
from processes import environment, running_kernel
from tsushin import ConnectFailed, KernelGone, connect

pytestmark = pytest.mark.interop


async def test_kernel_stays_when_its_frontend_leaves(shared_kernel):
    async with connect(connection_file=shared_kernel.connection_file) as fe:
        await fe.execute("left_behind = 1")
    assert shared_kernel.provisioner.process.poll() is None
    async with connect(connection_file=shared_kernel.connection_file) as fe:
        assert (await fe.execute("left_behind")).result == "1"


@pytest.mark.parametrize("options", [{"transport": "ipc"}, {"transport_encryption": "required"}])
async def test_both_flows_over_ipc_and_curve(options, tmp_path):
    with running_kernel(**options) as manager:
        async with connect(connection_file=manager.connection_file) as fe:
            await kernel_opens(fe, "tsushin")
            await frontend_opens(fe, "tsushin")


async def test_file_name_is_found_in_the_runtime_directory(shared_kernel, monkeypatch):
    folder, name = os.path.split(shared_kernel.connection_file)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", folder)
    async with connect(connection_file=name) as fe:
        assert (await fe.execute("1")).result == "1"


@pytest.mark.parametrize(
    ("text", "about"),
    [(None, "no-such-file"), ("{", "broken.json"), ("[]", "broken.json"), ("{}", "shell_port")],
)
async def test_broken_file_is_a_connect_failure(tmp_path, text, about):
    path = tmp_path / ("no-such-file.json" if text is None else "broken.json")
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConnectFailed, match=about):
        await connect(connection_file=path)


async def test_busy_kernel_can_be_attached_to(shared_kernel):
    async with connect(connection_file=shared_kernel.connection_file) as first:
        running = asyncio.ensure_future(first.execute("import time; time.sleep(1.5)"))
        await asyncio.sleep(0)
        async with connect(connection_file=shared_kernel.connection_file, timeout=10) as second:
            assert second.is_alive
            assert not running.done()
        await running


async def test_interrupt_by_message(shared_kernel):
    async with connect(connection_file=shared_kernel.connection_file) as fe:
        started = asyncio.Event()
        running = asyncio.ensure_future(
            fe.execute(
                "import time; print('now', flush=True); time.sleep(60)",
                on_output=lambda _: started.set(),
                raise_on_error=False,
            )
        )
        await started.wait()
        await fe.interrupt()
        assert (await running).error.name == "KeyboardInterrupt"


async def test_killed_kernel_is_noticed_by_its_heartbeat():
    with running_kernel() as manager:
        async with connect(connection_file=manager.connection_file) as fe:
            pid = await value(fe, "__import__('os').getpid()")
            waiting = asyncio.ensure_future(fe.execute("import time; time.sleep(60)"))
            await asyncio.sleep(0)
            os.kill(pid, signal.SIGKILL)
            async with asyncio.timeout(8):
                with pytest.raises(KernelGone) as raised:
                    await waiting
            assert raised.value.why == "died"


@pytest.fixture
async def elsewhere():
    """A kernel with a manager that a test can tell to restart it."""
    manager = AsyncKernelManager(kernel_name="python3")
    await manager.start_kernel(env=environment())
    yield manager
    await manager.shutdown_kernel(now=True)


@pytest.mark.parametrize(("restart", "why"), [(True, "restarted"), (False, "shut down")])
async def test_end_by_somebody_else_is_told_by_the_kernel(elsewhere, restart, why):
    async with connect(connection_file=elsewhere.connection_file) as fe:
        waiting = fe.expect_open("never")
        await (elsewhere.restart_kernel() if restart else elsewhere.request_shutdown())
        async with asyncio.timeout(10):
            with pytest.raises(KernelGone) as raised:
                await waiting
        assert raised.value.why == why


async def test_frontend_serves_the_next_process_after_a_restart_by_somebody_else(elsewhere):
    async with connect(connection_file=elsewhere.connection_file) as fe:
        pid = await value(fe, "__import__('os').getpid()")
        waiting = fe.expect_open("never")
        await elsewhere.restart_kernel()
        with pytest.raises(KernelGone):
            await waiting
        assert await value(fe, "__import__('os').getpid()") != pid
