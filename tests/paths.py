"""Where the parts of the checkout are."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"
VECTORS = TESTS / "vectors"
