"""What `make matrix` found: collected run by run, written when every run has been made.

The file: `{date, chromium, features: [{name, about}], runs: [{frontend, version, kernel, tsushin, server,
results: {feature: "passed" | "not there: why" | "failed: what"}}]}`.
"""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime

from browser import classic_notebook
from browser.hosts import ROOT

FOLDER = ROOT / "docs" / "results"
PASSED = "passed"


def versions(python, *packages):
    """Return the versions of packages in another environment."""
    code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    asked = [python, "-c", code, *packages]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.split()


def write(runs, chromium):
    """Write the results of today; returns the file."""
    today = datetime.now(UTC).date().isoformat()
    features = [{"name": f.name, "about": f.about} for f in classic_notebook.FEATURES]
    results = {"date": today, "chromium": chromium, "features": features, "runs": runs}
    file = FOLDER / f"{today}-frontends.json"
    file.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return file
