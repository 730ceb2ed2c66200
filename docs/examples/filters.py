"""A filter for the requests that ``client.py`` sends to ``server.py``, with all five verdicts."""

from twisted_repeater import DO_NOTHING, PASS_ON, Link, PassOnAndSendBack, Send, SendBack, Verdict


def requests(message: bytes, link: Link) -> Verdict:
    """Decide about one request."""
    verb, _, stock = message.partition(b" ")
    if message == b"":
        return DO_NOTHING  # drop an empty line: nobody gets it
    if message == b"whoami":
        return SendBack([link.client_name.encode()])  # answer here: the server does not get it
    if verb == b"price" and stock != stock.upper():
        return Send(b"price " + stock.upper())  # send the server another message in its place
    if stock == b"INIT":
        return PassOnAndSendBack([b"INIT is delayed"])  # pass it on, and send the client this too
    return PASS_ON
