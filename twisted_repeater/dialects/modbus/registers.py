"""`Registers` and `ReadOnly`: which clients may read and write which registers and coils."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import get_args

from zope.interface import implementer

from ..._types import Filters
from ...filters._provider import selector_for_types
from ...interfaces import ICodec, IFilter, IFilterPair, ISelectiveByCodec
from ...link import Link
from ...selectors import Selector
from ...verdicts import PASS_ON, Verdict
from .answers import refuse
from .message import Area, ExceptionCode, Raw
from .requests import Request, TypedRequest
from .rules import LAST, Rule, address_of, covered, rules_of
from .wire import REQUESTS

__all__ = ["ReadOnly", "Registers"]

TELLS = {11, 12, 17}
"""Functions that read neither coils nor registers, and change nothing: counters, events, the name of the device."""
READS = {7, 20, 24}
"""Functions that only read, but not as the others do: the exception status, files, queues."""
WRITES = {21}
"""Functions that only write, but not as the others do: files."""
DIAGNOSTICS = 8
HARMLESS_DIAGNOSTICS = {0, 2, *range(11, 19)}
"""The diagnostics that change nothing: loopback, the diagnostic register, counters."""
ENCAPSULATED = 43
IDENTIFICATION = b"\x0e"
"""What function 43 has first to read the identification of a device."""

READING: tuple[type, ...] = tuple(cls for cls in get_args(TypedRequest) if cls.reads)
WRITING: tuple[type, ...] = tuple(cls for cls in get_args(TypedRequest) if cls.writes)


@implementer(IFilterPair)
class Registers:
    """A pair of filters that answers a request with an exception if its client may not do that.

    For example, only one computer may write, and only these registers::

        Registers(write=("holding 100-109 from 10.0.0.5",))

    A rule is written as words, of which only the first is required: a table (``coils``, ``discrete``, ``input``,
    ``holding``, or ``any`` for all four); an address or a range, counted from 0; ``from`` and the address of a client,
    or of a network such as ``10.0.0.0/8``; ``unit`` and a number. What is left out means all.

    All addresses of a request must be allowed. Otherwise the client gets the code 1, "illegal function", if it may do
    nothing in this table, or else 2, "illegal data address".

    Functions that change nothing and read no table pass: device identification, counters, loopback. Others, such as
    those of a vendor, are refused with the code 1, unless they are named in ``functions``: they may read and write
    anything.

    Args:
        read: what a client may read; ``None`` for all.
        write: what a client may write; ``None`` for all, and ``()`` for nothing.
        deny_read: what no client may read, even if ``read`` allows it.
        deny_write: what no client may write, even if ``write`` allows it. A broadcast reaches every unit.
        functions: the numbers of other functions that pass, such as ``("100",)``.

    Raises:
        TypeError: an argument is one rule, not several.
        ValueError: a rule is not understood, or none is given.
    """

    def __init__(
        self,
        *,
        read: tuple[str, ...] | None = None,
        write: tuple[str, ...] | None = None,
        deny_read: tuple[str, ...] = (),
        deny_write: tuple[str, ...] = (),
        functions: tuple[str, ...] = (),
    ) -> None:
        if read is None and write is None and not deny_read and not deny_write:
            raise ValueError("Registers needs a rule: give read, write, deny_read or deny_write")
        self.read: _Rules = _Rules("read", read, deny_read)
        self.write: _Rules = _Rules("write", write, deny_write)
        self.functions: frozenset[int] = frozenset(_functions(functions))
        self.__qualname__: str = type(self).__name__

    def for_link(self, link: Link) -> Filters:
        """See `IFilterPair`."""
        return (_Refusing(self, link), None)


class ReadOnly(Registers):
    """A pair of filters that answers each request that would write with the exception "illegal function".

    The same as ``Registers(write=())``.

    Args:
        functions: the numbers of other functions that pass; see `Registers`.

    Raises:
        ValueError: one of them is not a number, or reads or writes a table.
    """

    def __init__(self, *, functions: tuple[str, ...] = ()) -> None:
        super().__init__(write=(), functions=functions)


class _Rules:
    """The rules about reading, or about writing."""

    def __init__(self, action: str, allow: Iterable[str] | None, deny: Iterable[str]) -> None:
        self.allow: tuple[Rule, ...] | None = None if allow is None else rules_of(action, allow)
        self.deny: tuple[Rule, ...] = rules_of(f"deny_{action}", deny)

    def for_client(self, link: Link) -> _Allowed:
        """Return what a client may do."""
        address = address_of(link.client_address)

        def about(rule: Rule) -> bool:
            return rule.client is None or (address is not None and address in rule.client)

        allow = None if self.allow is None else tuple(filter(about, self.allow))
        return _Allowed(allow, tuple(filter(about, self.deny)))


class _Allowed:
    """What a client may read, or write."""

    def __init__(self, allow: tuple[Rule, ...] | None, deny: tuple[Rule, ...]) -> None:
        everything = allow is None or any(rule.is_whole for rule in allow)
        self._allow = None if everything else allow
        self._deny = deny
        self.everything: bool = everything and not deny
        """Whether it may do so without limit."""

    def refused(self, area: Area, addresses: range, unit: int) -> ExceptionCode | None:
        """Return why it may not use some addresses; ``None`` if it may."""
        if self.everything:
            return None
        if self._allow is not None:
            rules = [rule for rule in self._allow if rule.is_about(area, unit)]
            if not rules:
                return ExceptionCode.ILLEGAL_FUNCTION
            if not covered(rules, addresses):
                return ExceptionCode.ILLEGAL_DATA_ADDRESS
        # A server may go on at 0 behind the last address.
        if addresses.stop > LAST + 1 or any(rule.overlaps(area, addresses, unit) for rule in self._deny):
            return ExceptionCode.ILLEGAL_DATA_ADDRESS
        return None


@implementer(IFilter, ISelectiveByCodec)
class _Refusing:
    """The filter of the requests of one client."""

    def __init__(self, rules: Registers, link: Link) -> None:
        self._read = rules.read.for_client(link)
        self._write = rules.write.for_client(link)
        self._functions = rules.functions
        self.__qualname__: str = type(rules).__name__

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`. What this client may do without limit is not decoded."""
        types = dict.fromkeys([Raw, *(() if self._read.everything else READING)])
        types |= dict.fromkeys(() if self._write.everything else WRITING)
        return selector_for_types(self, tuple(types), codec)

    def filter(self, request: Request, link: Link) -> Verdict:
        """See `IFilter`."""
        code = self._refused_function(request) if isinstance(request, Raw) else self._refused(request)
        return PASS_ON if code is None else refuse(request, code)

    def _refused(self, request: TypedRequest) -> ExceptionCode | None:
        """Return why a request is refused; ``None`` if it is not."""
        code = None
        if request.writes:
            code = self._write.refused(request.area, request.written, request.unit)
        if code is None and request.reads:
            code = self._read.refused(request.area, request.read, request.unit)
        return code

    def _refused_function(self, request: Raw) -> ExceptionCode | None:
        """Return why a function that is not looked into is refused; ``None`` if it is not."""
        function, data = request.function, request.data
        if function in self._functions or function in TELLS:
            return None
        if function == DIAGNOSTICS and len(data) == 4 and int.from_bytes(data[:2]) in HARMLESS_DIAGNOSTICS:
            return None
        if function == ENCAPSULATED and data[:1] == IDENTIFICATION:
            return None
        may_read = self._read.everything or function in WRITES
        may_write = self._write.everything or function in READS
        return None if may_read and may_write else ExceptionCode.ILLEGAL_FUNCTION


def _functions(texts: Iterable[str]) -> Iterable[int]:
    """Read numbers of functions."""
    if isinstance(texts, str):
        raise TypeError(f"functions takes several numbers: write ({texts!r},)")
    for text in texts:
        if not re.fullmatch(r"\d{1,3}", str(text), re.ASCII) or int(text) > 127:
            raise ValueError(f"functions must be numbers from 0 to 127, not {text!r}")
        if int(text) in REQUESTS:
            raise ValueError(f"functions must not have {text}, which reads or writes a table: write a rule about that")
        yield int(text)
