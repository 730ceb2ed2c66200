"""Tests of the dialect ``hl7``."""
