"""The fleet whose nodes meet at a Redis or Valkey. See `twisted_repeater.fleet` for what a fleet is."""

from ._engine import EngineError
from ._fleet import RedisFleet
from ._settings import NewcomersWithoutEngine, OnLeaseLost

__all__ = ["EngineError", "NewcomersWithoutEngine", "OnLeaseLost", "RedisFleet"]
