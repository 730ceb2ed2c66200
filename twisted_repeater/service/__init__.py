"""The repeater as a program: what ``twistd repeater`` runs, and the service for a Twisted application of your own."""

from ._service import CannotStart, RepeaterService

__all__ = ["CannotStart", "RepeaterService"]
