"""Speed, measured against the stock stack and the physical limit in the same run.

``rows/`` answers one question a file. ``harness.py`` runs the variants of a row interleaved, each in its
own process (``worker.py``). ``report.py`` makes the table and the JSON.
"""
