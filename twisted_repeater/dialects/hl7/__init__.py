"""The dialect `hl7`: HL7 version 2 over MLLP, with typed messages."""

from ._dialect import hl7
from .acknowledging import acknowledgement, refuse
from .batches import Batch
from .by_message_type import of_type
from .codec import Hl7Codec
from .frames import Filler, Raw
from .in_turn import InTurn, in_turn
from .masking import Mask
from .messages import Message
from .structure import Delimiters
from .type_rules import Messages

__all__ = [
    "Batch",
    "Delimiters",
    "Filler",
    "Hl7Codec",
    "InTurn",
    "Mask",
    "Message",
    "Messages",
    "Raw",
    "acknowledgement",
    "hl7",
    "in_turn",
    "of_type",
    "refuse",
]
