"""A filter for the requests that ``client.py`` sends to ``server.py``, with all five verdicts."""

from twisted_repeater import DO_NOTHING, PASS_ON, ILink, PassOnAndSendBack, Send, SendBack, Verdict


def requests(message: bytes, link: ILink) -> Verdict:
    """Decide about one request."""
    verb, _, stock = message.partition(b" ")
    if message == b"":
        return DO_NOTHING  # an empty line is no request: nobody gets anything
    if message == b"whoami":
        return SendBack([link.client_name.encode()])  # answered here, the server gets nothing
    if verb == b"price" and stock != stock.upper():
        return Send(b"price " + stock.upper())  # the server gets this in its place
    if stock == b"INIT":
        return PassOnAndSendBack([b"INIT is delayed"])  # the server gets it, and the client this besides
    return PASS_ON
