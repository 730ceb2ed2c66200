"""The administration of running repeaters over HTTP."""

from .api import administration

__all__ = ["administration"]
