"""Where a Jupyter Server finds the lane of one of its kernels: a file beside the kernel's connection file.

It holds what opens the lane, so only the kernel's own user can read it. It lies in a folder of its own: what
looks for connection files by a pattern does not find it.

Spec: spec/profile.md, "Lane".
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final

import msgspec

FOLDER: Final = "tsushin-lanes"


class LaneAddress(msgspec.Struct, frozen=True):
    """How to reach a kernel's lane.

    Attributes:
        port: on loopback.
        secret: shown as ``Authorization: token …``; good as long as the kernel listens.
    """

    port: Annotated[int, msgspec.Meta(ge=1, lt=2**16)]
    secret: Annotated[str, msgspec.Meta(min_length=32)]


def lane_file(connection_file: str | os.PathLike[str]) -> Path:
    """Return the path of the lane file that belongs to a connection file."""
    path = Path(connection_file)
    return path.parent / FOLDER / path.name


def write_lane_file(path: Path, address: LaneAddress) -> None:
    """Write it anew, readable by this user only from the first byte on.

    Those of kernels that were killed, whose connection files are gone, are removed.

    Raises:
        OSError: it cannot be written there.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    for other in path.parent.iterdir():
        if not (path.parent.parent / other.name).exists():
            remove_lane_file(other)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        fresh.unlink()
    descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(address))
    fresh.replace(path)


def read_lane_file(path: Path) -> LaneAddress | None:
    """Return what is in it; None where there is none, or none that only this user could have written."""
    try:
        with path.open("rb") as file:
            if not _is_private(os.fstat(file.fileno())):
                return None
            return msgspec.json.decode(file.read(), type=LaneAddress)
    except (OSError, msgspec.MsgspecError):
        return None


def remove_lane_file(path: Path) -> None:
    """Remove it, if it is there."""
    with suppress(OSError):
        path.unlink()


def _is_private(status: os.stat_result) -> bool:
    if sys.platform == "win32":  # a user's runtime directory is private by its access list
        return True
    return status.st_uid == os.getuid() and not stat.S_IMODE(status.st_mode) & 0o077
