"""The texts for failures of TLS, of a peer's handshake or of its certificate."""

from __future__ import annotations

import sys

from .._text import shortened, text_of

__all__ = ["tls_trouble"]

NO_TLS = {"http request", "https proxy request", "wrong version number"}
"""The errors of OpenSSL for a first message that is not TLS."""


def tls_trouble(peer: str, reason: BaseException) -> str | None:
    """Return a text about a peer's TLS, ``None`` if an error in that is not why the connection was lost.

    Args:
        peer: whose TLS it is: "client" or "server".
        reason: why the connection was lost.
    """
    # Neither is imported here, because only TLS needs them.
    ssl = sys.modules.get("OpenSSL.SSL")
    identity = sys.modules.get("service_identity")
    if identity is not None and isinstance(reason, identity.VerificationError):
        return f"the {peer}'s certificate is for another host: {shortened(text_of(reason))}"
    if ssl is None or not isinstance(reason, ssl.Error):
        return None
    (details,) = reason.args if len(reason.args) == 1 and isinstance(reason.args[0], list) else ([],)
    if not details:  # the connection was lost
        return None
    texts = [text for _, _, text in details]
    if NO_TLS.intersection(texts):
        return f"the {peer} does not speak TLS: {', '.join(texts)}"
    return f"the {peer}'s TLS handshake failed: {', '.join(texts)}"
