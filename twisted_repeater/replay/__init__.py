"""Plays recordings again: against a server, or through filters."""
