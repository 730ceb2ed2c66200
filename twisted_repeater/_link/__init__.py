"""One client's pair of connections: how it is made, relays, and ends."""
