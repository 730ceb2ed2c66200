"""The administration of a process: its endpoint, its token, and its site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.logger import Logger

from .._text import address_text, text_of
from .._types import Reactor
from . import option_values
from .addresses import ip_of
from .admin import administration
from .loading import LoadingError
from .settings import ProcessSettings, located
from .unix_sockets import remove_dead_socket

if TYPE_CHECKING:
    from .admin.site import GuardedSite
    from .admin.subject import Administered

__all__ = ["AdminPort"]

log: Logger = Logger()


class AdminPort:
    """The administration of a process, if its settings have one.

    Args:
        settings: the settings of the process.
        reactor: the reactor.

    Raises:
        LoadingError: the settings are wrong.
    """

    def __init__(self, settings: ProcessSettings, reactor: Reactor) -> None:
        self._settings = settings
        self._reactor = reactor
        self._endpoint = _endpoint_of(settings, reactor)
        self._site: GuardedSite | None = None
        self._port: IListeningPort | None = None

    async def bind(self, administered: Administered) -> None:
        """Listen, if the settings say so."""
        if self._endpoint is None:
            return
        values = self._settings.values
        token = values["admin-token-file"]
        remove_dead_socket(values["admin"])
        self._site = administration(administered, hosts=values["admin-host"], token=token, reactor=self._reactor)
        self._port = await self._endpoint.listen(self._site)
        address = self._port.getHost()
        ip = ip_of(getattr(address, "host", ""))
        if token is None and ip is not None and not ip.is_loopback:
            log.warn(
                "other machines can reach the administration at {address}: it has no token, and anyone who can "
                "connect controls the repeater",
                address=address_text(address),
            )

    def change(self, settings: ProcessSettings) -> None:
        """Use other names and another token."""
        self._settings = settings
        if self._site is not None:
            self._site.configure(hosts=settings.values["admin-host"], token=settings.values["admin-token-file"])

    def release_held(self, repeater: str | None = None) -> None:
        """Release every message of a repeater that is held, or of all, and hold none from now on."""
        if self._site is not None:
            self._site.release_held(repeater)

    async def stop(self) -> None:
        """Stop listening."""
        if self._port is not None:
            await maybeDeferred(self._port.stopListening)


def _endpoint_of(settings: ProcessSettings, reactor: Reactor) -> IStreamServerEndpoint | None:
    text = settings.values["admin"]
    if not text:
        return None
    try:
        return option_values.admin_endpoint(reactor, text)
    except ValueError as error:
        raise LoadingError(located(settings.where("admin"), text_of(error))) from error
