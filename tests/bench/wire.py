"""The frames that the load programs send: made once, before anything is measured."""

from __future__ import annotations

import json
import socket
import struct

from .loads import Load

__all__ = ["END", "GREEDY", "Wire", "wire_of"]

GREEDY = "greedy"
"""The client of this name sends without end, and what it sends is not sent back."""

END = b"!"
"""The last byte of the last message of a load, before its mark, and of no other: the receiver looks at the end of each
read only."""


class Wire:
    """The frames of one load, in the dialect ``int32``."""

    header_size = 4
    mark = b""
    """What ends each message, after its payload."""

    def __init__(self, load: Load) -> None:
        self.ordinary = self.frame(self.payload(load.size))
        self.wanted = self.frame(self.payload(load.size, kind=2))
        self.last = self.frame(self.payload(load.size, last=END))
        self.end = END + self.mark
        assert self.end not in self.ordinary + self.wanted + self.last[:-1]
        self._wanted_every = load.wanted_every

    @staticmethod
    def payload(size: int, kind: int = 1, last: bytes = b".") -> bytes:
        """A payload of ``size`` bytes: the MessagePack list [number, kind, bytes], so that a filter may decode it.

        It begins with two bytes that are always the same, the number as a big-endian u32, and the kind as one byte.
        """
        for head, width in ((b"\xc4", 1), (b"\xc5", 2), (b"\xc6", 4)):
            rest = size - 7 - 1 - width
            if 0 < rest < 256**width:
                start = b"\x93\xce" + struct.pack(">IB", 7, kind) + head + rest.to_bytes(width, "big")
                return start + b"." * (rest - 1) + last
        raise ValueError(f"no payload of {size} bytes")

    def chunk(self, size: int) -> bytes:
        """About so many bytes, but always whole frames, to be sent with one write."""
        count = max(1, size // len(self.ordinary))
        if not self._wanted_every:
            return self.ordinary * count
        group = self.ordinary * (self._wanted_every - 1) + self.wanted
        return group * max(1, count // self._wanted_every)

    def frame(self, body: bytes) -> bytes:
        """One message."""
        return struct.pack(">I", len(body)) + body

    def hello(self, name: str) -> bytes:
        """The first frame of a connection."""
        return self.frame(json.dumps({"name": name}).encode())

    def name_in(self, body: bytes) -> str:
        """Who says this hello."""
        return str(json.loads(body)["name"])

    def split(self, data: bytearray, *, hello: bool = False) -> bytes | None:
        """Take the first frame off the data, if all of it is there, and give it without its header."""
        if len(data) < self.header_size:
            return None
        end = self.header_size + int(struct.unpack_from(">I", data)[0])
        if len(data) < end:
            return None
        body = bytes(data[self.header_size : end])
        del data[:end]
        return body

    def read(self, connection: socket.socket, *, hello: bool = False) -> bytes:
        """Read one frame, where no other follows, and give it without its header."""
        data = bytearray()
        while True:
            body = self.split(data, hello=hello)
            if body is not None:
                assert not data, "more than one frame came"
                return body
            more = connection.recv(1024 * 1024)
            if not more:
                raise ConnectionError("the other end closed")
            data += more


class AsyncExtraWire(Wire):
    """The same in the dialect ``async_extra``, as far as these loads need it: nothing is longer than 32 KiB."""

    def frame(self, body: bytes) -> bytes:
        """One message: the length of the header, the header (a time and the length of the body), the body."""
        header = struct.pack("<d", 0.0) + _bin_int(len(body))
        return struct.pack("<q", len(header)) + header + body

    def hello(self, name: str) -> bytes:
        """The length, and the record: name, mode, two versions and no credentials."""
        record = _bin_int(len(name)) + name.encode() + b"\0\1\1\0"
        return struct.pack("<q", len(record)) + record

    def name_in(self, body: bytes) -> str:
        """Who says this hello."""
        length, start = _read_bin_int(body, 0)
        return body[start : start + length].decode()

    def split(self, data: bytearray, *, hello: bool = False) -> bytes | None:
        """Take the first frame off the data, if all of it is there, and give it without its header."""
        if len(data) < 8:
            return None
        start = 8
        end = 8 + int(struct.unpack_from("<q", data)[0])
        if len(data) < end:
            return None
        if not hello:
            start, end = end, end + _read_bin_int(data, 16)[0]
            if len(data) < end:
                return None
        body = bytes(data[start:end])
        del data[:end]
        return body


class BinProtWire(AsyncExtraWire):
    """The same, with payloads that a codec of bin_prot can decode."""

    @staticmethod
    def payload(size: int, kind: int = 1, last: bytes = b".") -> bytes:
        """A record of a number, which takes five bytes, the kind, and bytes."""
        rest = size - 7
        return b"\xfd" + struct.pack("<iBB", 100_000, kind, rest) + b"." * (rest - 1) + last


class PlainWire(Wire):
    """The same without hellos."""

    def hello(self, name: str) -> bytes:
        """There is none."""
        return b""


class OtherWire(Wire):
    """Hellos of ``int32``, but messages with another framing."""

    def hello(self, name: str) -> bytes:
        """The first frame of a connection."""
        return Wire.frame(self, json.dumps({"name": name}).encode())

    def split(self, data: bytearray, *, hello: bool = False) -> bytes | None:
        """Take the first frame off the data, if all of it is there, and give it without its header."""
        if hello:
            return super().split(data, hello=True)
        found = self.find(data)
        if found is None:
            return None
        start, stop = found
        body = bytes(data[start:stop])
        del data[: stop + len(self.mark)]
        return body

    def find(self, data: bytearray) -> tuple[int, int] | None:
        """Where the payload of the first frame begins and ends, if all of it is there."""
        raise NotImplementedError


class LengthWire(OtherWire):
    """Messages with a length of two bytes, little-endian."""

    def frame(self, body: bytes) -> bytes:
        """One message."""
        return struct.pack("<H", len(body)) + body

    def find(self, data: bytearray) -> tuple[int, int] | None:
        """See `OtherWire`."""
        stop = 2 + int(struct.unpack_from("<H", data)[0]) if len(data) > 1 else 0
        return (2, stop) if 0 < stop <= len(data) else None


class VarintWire(OtherWire):
    """Messages with a length of one byte: nothing here is longer than 127 bytes."""

    def frame(self, body: bytes) -> bytes:
        """One message."""
        return bytes([len(body)]) + body

    def find(self, data: bytearray) -> tuple[int, int] | None:
        """See `OtherWire`."""
        return (1, 1 + data[0]) if data and len(data) > data[0] else None


class LinesWire(OtherWire):
    """Messages that are lines."""

    mark = b"\r\n"

    def frame(self, body: bytes) -> bytes:
        """One message."""
        assert self.mark not in body
        return body + self.mark

    def find(self, data: bytearray) -> tuple[int, int] | None:
        """See `OtherWire`."""
        stop = data.find(self.mark)
        return (0, stop) if stop >= 0 else None


WIRES: dict[str, type[Wire]] = {
    "int32": Wire,
    "plain": PlainWire,
    "async_extra": AsyncExtraWire,
    "bin_prot": BinProtWire,
    "length": LengthWire,
    "varint": VarintWire,
    "lines": LinesWire,
}


def wire_of(load: Load) -> Wire:
    """The frames of a load, in its dialect."""
    return WIRES[load.dialect](load)


def _bin_int(value: int) -> bytes:
    return bytes([value]) if value < 128 else b"\xfe" + struct.pack("<h", value)


def _read_bin_int(data: bytes | bytearray, start: int) -> tuple[int, int]:
    """The value, and where it ends."""
    if data[start] < 128:
        return data[start], start + 1
    return int(struct.unpack_from("<h", data, start + 1)[0]), start + 3
