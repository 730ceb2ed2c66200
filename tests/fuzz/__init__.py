"""Recorded sessions of real programs, replayed and mutated through the dialects."""
