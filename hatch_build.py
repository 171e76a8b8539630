"""Build hook: put the built page into the wheel and the sdist, so that installing needs no Node.

An editable install builds nothing: there ``make`` does it, and only when the sources changed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent / "tools"))
import node


class BuildPage(BuildHookInterface[Any]):  # Any: hatchling's configuration type is not public
    """Run ``npm run build`` where the page is missing or older than its sources."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Ask for Node from PyPI where it is needed and the machine has none."""
        return [] if node.is_built() or node.find_node() else [node.NODE_REQUIREMENT]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page and add it, except for an editable install."""
        if version == "editable":
            return
        node.build()
        root = Path(self.root)
        base = root / "src" if self.target_name == "wheel" else root
        build_data["force_include"][str(node.PAGE)] = str(node.PAGE.relative_to(base))
