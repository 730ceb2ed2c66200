"""The dialect `redis`: commands and replies of Redis, Valkey and the like, in RESP2 and RESP3."""

from ._dialect import redis
from .marks import InTurn, in_turn
from .messages import Command, ErrorText, Raw, Reply

__all__ = ["Command", "ErrorText", "InTurn", "Raw", "Reply", "in_turn", "redis"]
