"""Makes Python run twisted_repeater from its sources, even where compiled modules lie beside them.

Python imports this module at its start when the directory is on ``PYTHONPATH``; `tests.test_interpreted` says so.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType


class SourcesFirst:
    """Finds ``twisted_repeater``'s submodules, at any depth, by their ``.py`` files alone."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Tell Python where the source is; ``None`` leaves the rest, packages too, to Python's own finders."""
        if not name.startswith("twisted_repeater."):
            return None
        for directory in path or ():
            source = Path(directory, name.rpartition(".")[2] + ".py")
            if source.is_file():
                return spec_from_file_location(name, source, loader=SourceFileLoader(name, str(source)))
        return None


sys.meta_path.insert(0, SourcesFirst)
