"""The operating system's part: endpoints, descriptors, the state of sockets, peers that vanish."""
