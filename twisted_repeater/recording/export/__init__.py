"""Export of recordings: as JSON lines, and as captures for Wireshark."""

from __future__ import annotations

from .choice import Choice
from .decoding import Decoder
from .jsonl import write_jsonl
from .pcapng import write_pcapng
from .plain import bytes_of
from .timeline import timeline

__all__ = ["Choice", "Decoder", "bytes_of", "timeline", "write_jsonl", "write_pcapng"]
