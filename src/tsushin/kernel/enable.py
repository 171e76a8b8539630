"""Attach every kernel at its start: a startup file in an IPython profile, written and removed.

IPython runs the files of ``profile_<name>/startup`` in kernels and in terminals alike, in whatever
environment the user starts it from. The file does nothing in a terminal and nothing where this package is
not installed, and leaves no names behind.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tsushin.errors import quote

_MARK: Final = "# Written by `tsushin enable`; `tsushin disable` removes it.\n"
_CODE: Final = f"""\
{_MARK}def _attach_tsushin():
    if getattr(get_ipython(), "kernel", None) is None:
        return  # a terminal
    try:
        from tsushin.kernel import attach_if_kernel
    except ImportError:
        return  # this environment does without
    attach_if_kernel()


_attach_tsushin()
del _attach_tsushin
"""


def startup_file(profile: str = "default") -> Path:
    """Return where the startup file of ``profile`` belongs; ``IPYTHONDIR`` is honoured.

    Raises:
        ValueError: ``profile`` is not a plain name.
    """
    from IPython.paths import get_ipython_dir  # noqa: PLC0415 (heavy; only this needs it)

    if profile in ("", "..") or Path(profile).name != profile:
        raise ValueError(f"profile: expected a plain name, got {quote(profile)}")
    # 20: before the user's own files, which are usually 50 and may open comms.
    return Path(get_ipython_dir()) / f"profile_{profile}" / "startup" / "20-tsushin.py"


def enable(file: Path) -> bool:
    """Write the startup file; False where it was there already, as it should be.

    Raises:
        FileExistsError: a file of that name is there that is not ours.
    """
    if file.exists():
        _demand_ours(file)
        if file.read_text() == _CODE:
            return False
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_CODE)
    return True


def disable(file: Path) -> bool:
    """Remove the startup file; False where there was none. Raises as ``enable``."""
    if not file.exists():
        return False
    _demand_ours(file)
    file.unlink()
    return True


def _demand_ours(file: Path) -> None:
    if not file.read_text().startswith(_MARK):
        raise FileExistsError(f"{file}: expected a file written by `tsushin enable`, left alone")
