"""Write the generated vectors of the three carriers into spec/vectors, or into a folder of your choice.

Deterministic: running it again changes nothing. Observed traffic is not made here; see ``record_vectors.py``.

Run: python tools/make_vectors.py [folder]
"""

from __future__ import annotations

import sys
from itertools import chain
from pathlib import Path

from vectorgen import ws_default, ws_v1, zmq
from vectorgen.kit import ROOT, write

if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    for path, case in chain(zmq.all_cases(), ws_v1.all_cases(), ws_default.all_cases()):
        write(folder, path, case)
