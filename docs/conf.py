"""Sphinx configuration: MyST pages, one theme, warnings are errors (``make docs``)."""

from __future__ import annotations

from tsushin._version import __version__

project = "Tsushin"
author = "The Tsushin developers"
copyright = "The Tsushin developers"  # noqa: A001  (the name Sphinx asks for)
release = version = __version__

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3

html_theme = "pydata_sphinx_theme"
html_title = "Tsushin"
