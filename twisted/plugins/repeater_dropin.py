"""Tells Twisted of ``twistd repeater``."""

from twisted.application.service import ServiceMaker

repeater = ServiceMaker(
    "twisted_repeater",
    "twisted_repeater.service.tap",
    "Stands between clients and a server, and lets filters decide",
    "repeater",
)
