"""Build hook: put what runs in pages into the wheel and the sdist, so that installing needs no Node.

An editable install builds nothing: there ``make`` does it, and only when the sources changed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent / "tools"))
import node


class BuildPages(BuildHookInterface[Any]):  # Any: hatchling's configuration type is not public
    """Run ``npm run build`` where something built is missing or older than its sources."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Ask for Node from PyPI where it is needed and the machine has none."""
        return [] if node.is_built() or node.find_node() else [node.NODE_REQUIREMENT]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build and add what was built, except for an editable install."""
        if version == "editable":
            return
        node.build()
        root = Path(self.root)
        base = root / "src" if self.target_name == "wheel" else root
        for folder in node.BUILT:
            if folder == node.LABEXTENSION and self.target_name == "wheel":
                build_data["shared_data"][str(folder)] = node.LABEXTENSION_PLACE
            else:
                build_data["force_include"][str(folder)] = str(folder.relative_to(base))
