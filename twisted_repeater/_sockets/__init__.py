"""What the operating system knows and allows: endpoints, descriptors, the state of sockets, peers that vanish."""
