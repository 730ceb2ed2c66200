"""How Sphinx builds the docs: ``sphinx-build -W docs docs/_build/html``."""

from __future__ import annotations

import re
from importlib.metadata import version as version_of
from typing import Any

project = "twisted_repeater"
author = "the twisted_repeater developers"
copyright = "2026, the twisted_repeater developers"  # noqa: A001
release = version = version_of("twisted_repeater")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinxcontrib.zopeext.autointerface"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"twisted_repeater {release}"
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
default_role = "py:obj"


def fields_for_sphinx(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Turn the fields of Twisted's docstrings (``@param x: ...``) into those that Sphinx reads."""
    lines[:] = [re.sub(r"^(\s*)@(\w+( \w+)?):", r"\1:\2:", line) for line in lines]


def setup(app: Any) -> None:
    """Connect the above."""
    app.connect("autodoc-process-docstring", fields_for_sphinx)
