"""The dialect `redis`: commands and replies of Redis, Valkey and the like, in RESP2 and RESP3."""

from .messages import Command, ErrorText, Raw, Reply

__all__ = ["Command", "ErrorText", "Raw", "Reply"]
