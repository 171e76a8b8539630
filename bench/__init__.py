"""Speed, measured against the stock stack and the physical limit in the same run.

``rows/`` answers one question a file. ``harness.py`` runs the variants of a row interleaved, each in its
own process (``worker.py``). ``report.py`` makes the table and the JSON,
``tools/make_performance_page.py`` the page. What the variants stand on: ``stock_kernel.py``,
``our_frontend.py``, ``jupyter_server.py``, ``lane.py``, ``raw_servers.py`` and the client of all of
these, ``raw_websocket.py`` with ``wire_end.py``; ``targets.py`` is the kernel's side.
"""

from __future__ import annotations

from pathlib import Path

# Child processes start here, so that ``-m bench…`` finds this package.
ROOT = Path(__file__).resolve().parent.parent
