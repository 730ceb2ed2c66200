"""The repeater as a program: what ``twistd repeater`` runs, and its parts for a Twisted application of your own."""

from .filter_modules import FilterModules
from .loading import LoadingError, load_dialect, load_filter, load_filter_pair
from .service import CannotStart, RepeaterService

__all__ = [
    "CannotStart",
    "FilterModules",
    "LoadingError",
    "RepeaterService",
    "load_dialect",
    "load_filter",
    "load_filter_pair",
]
