"""Makes ``twistd repeater`` known to Twisted."""

from twisted.application.service import ServiceMaker

repeater = ServiceMaker(
    "twisted_repeater",
    "twisted_repeater.service.tap",
    "A proxy that shows each message to your filters",
    "repeater",
)
