"""The startup file, run by real kernels and a real terminal IPython."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kernel.peer import started
from tsushin.kernel.enable import disable, enable, startup_file

ATTACHED = "type(get_ipython().kernel.comm_manager).__module__.startswith('tsushin.')"


@pytest.fixture
def profile(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    return startup_file()


def test_the_file_is_in_the_profiles_startup_folder(tmp_path, profile):
    assert profile.parent == tmp_path / "ipython" / "profile_default" / "startup"
    assert startup_file("other").parent.parent.name == "profile_other"


@pytest.mark.parametrize("name", ["", "..", "a/b", "../x"])
def test_a_profile_is_a_plain_name(name):
    with pytest.raises(ValueError, match="profile: expected a plain name"):
        startup_file(name)


def test_both_ways_are_idempotent(profile):
    assert [enable(profile), enable(profile)] == [True, False]
    assert profile.exists()
    assert [disable(profile), disable(profile)] == [True, False]
    assert not profile.exists()


def test_an_older_version_of_the_file_is_replaced(profile):
    enable(profile)
    newest = profile.read_text()
    profile.write_text(newest + "# older\n")
    assert enable(profile) is True
    assert profile.read_text() == newest


def test_somebody_elses_file_is_left_alone(profile):
    profile.parent.mkdir(parents=True)
    profile.write_text("mine = 1\n")
    for change in (enable, disable):
        with pytest.raises(FileExistsError, match="left alone"):
            change(profile)
    assert profile.read_text() == "mine = 1\n"


def test_enabled_a_kernel_is_attached_before_its_first_cell_and_its_names_are_clean(profile):
    enable(profile)
    with started(prepare="") as peer:
        assert peer.value(ATTACHED) is True
        assert peer.value("[n for n in dir() if 'tsushin' in n]") == []
        # Handlers registered later run on the loop that was found before the kernel started.
        peer.run("""
import tsushin
manager, seen = tsushin.comm_manager(), []
manager.register_target("t", lambda comm, msg: globals().update(c=comm))
""")
        peer.open("kept", "t")
        peer.msg("kept", {"n": 1})
        peer.run("f = c.on_msg(lambda msg: seen.append(msg['content']['data']))")
        assert peer.value("seen") == [{"n": 1}]


def test_disabled_again_a_kernel_is_left_alone(profile):
    enable(profile)
    disable(profile)
    with started(prepare="") as peer:
        assert peer.value(ATTACHED) is False


def test_enabled_but_forbidden_by_the_environment_a_kernel_is_left_alone(profile):
    enable(profile)
    with started(prepare="", env={"TSUSHIN_DISABLE": "1"}) as peer:
        assert peer.value(ATTACHED) is False


def test_where_tsushin_is_missing_a_kernel_starts_as_ever(profile, tmp_path):
    enable(profile)
    (tmp_path / "tsushin").mkdir()  # an environment whose package of this name has nothing
    (tmp_path / "tsushin" / "__init__.py").write_text("raise ImportError('not installed')\n")
    with started(prepare="", path=tmp_path) as peer:
        assert peer.value(ATTACHED) is False
        assert peer.value("[n for n in dir() if 'tsushin' in n]") == []


def test_a_terminal_ipython_does_not_even_import_it(profile):
    enable(profile)
    code = "import sys; print('tsushin' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", "-c", code],
        capture_output=True, text=True, timeout=20, check=True, env=dict(os.environ),
    )  # fmt: skip
    assert run.stdout.strip() == "False"
    assert run.stderr == ""
