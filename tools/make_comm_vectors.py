"""Write spec/vectors/{comm,buffers,profile,control,pieces}, or the same into a folder of your choice.

Deterministic: running it again changes nothing.

Run: python tools/make_comm_vectors.py [folder]
"""

from __future__ import annotations

import sys
from itertools import chain
from pathlib import Path

from vectorgen import buffers, comm, control, pieces, profile
from vectorgen.kit import ROOT, write

if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    for path, case in chain(
        comm.all_cases(),
        buffers.all_cases(),
        profile.all_cases(),
        control.all_cases(),
        pieces.all_cases(),
    ):
        write(folder, path, case)
