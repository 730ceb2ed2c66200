"""Tests of the dialect of Modbus/TCP."""
