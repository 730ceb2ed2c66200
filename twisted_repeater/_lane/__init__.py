"""One direction of a link: from received bytes to verdicts to bytes to be written, sans-IO, compiled."""
