"""Where the parts of the checkout are."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
PACKAGE = ROOT / "twisted_repeater"
DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"
INTERPRETED = TESTS / "interpreted"
"""First on ``PYTHONPATH``, this makes Python run the sources, not the compiled modules beside them."""
VECTORS = TESTS / "vectors"
