"""The dialect `lines`: any protocol of lines, with filters by regular expression."""

from ._dialect import lines
from .rules import AllowLines, LogLines, RefuseLines, ReplaceInLines

__all__ = ["AllowLines", "LogLines", "RefuseLines", "ReplaceInLines", "lines"]
