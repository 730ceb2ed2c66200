"""Hands the port of a repeater over to another one of the process. It stays open, so no client notices."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from zope.interface import implementer

from .._repeater import Repeater

__all__ = ["PortOf"]


@implementer(IStreamServerEndpoint)
class PortOf:
    """The port of a repeater, as an endpoint: another repeater that listens there takes it over.

    Clients in its listen queue are then accepted by the other one. The first one keeps its links.

    Args:
        giver: the repeater that has the port.
    """

    lends = True
    """If the other repeater cannot be made, it leaves the port open, so that `give_back` can give it back."""

    def __init__(self, giver: Repeater) -> None:
        self._giver = giver
        self._port: Any = None
        self._switch = giver._factory.byte_faults.port_switch
        self._factory: IProtocolFactory | None = None

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Take the port over. See `IStreamServerEndpoint`.

        Its Deferred fails with ``ValueError`` if the port cannot be handed over.
        """
        return maybeDeferred(self._take, factory)

    def _take(self, factory: IProtocolFactory) -> IListeningPort:
        port: IListeningPort = self._giver._listening.hand_over()
        self._giver._factory.byte_faults.port_switch = None  # a fault of the giver must not close it
        self._port, self._factory = port, factory
        _replace(port, self._giver._factory, factory)
        return port

    def give_back(self, taker: Repeater | None) -> None:
        """Undo that, if it was done.

        Args:
            taker: the other repeater, if it was made.
        """
        if self._factory is None:
            return
        if taker is not None:
            taker._listening.hand_over()
        _replace(self._port, self._factory, self._giver._factory)
        self._giver._factory.byte_faults.port_switch = self._switch
        self._giver._listening.take_back()
        self._factory = None


def _replace(port: Any, old: Any, new: Any) -> None:
    """Replace a factory of a port, which others may wrap, for TLS say."""
    holder, name = port, "factory"
    while (found := getattr(holder, name)) is not old:
        holder, name = found, "wrappedFactory"
    new.doStart()
    setattr(holder, name, new)
    old.doStop()
