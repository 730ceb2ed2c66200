"""Captures of recordings, judged by Wireshark; and a recording of a real Redis, from the repeater to Wireshark."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Direction, Side, dialects
from twisted_repeater.recording import Origin, RecordedLink, RecordedMessage, open_recording, record
from twisted_repeater.recording.export import bytes_of, timeline, write_pcapng
from twisted_repeater.recording.export.command import main as export

from ..fuzz.recording import Recording, recordings
from ..needed import needed
from ..programs import LONGEST
from ..recording.export.made import SECOND, START, made_link, made_message
from ..recordings import write_recording
from .redis_case import RedisCase, array, connect

DEBIAN_PACKAGES = "redis-server tshark"

PORTS = {"fix": 9878, "mqtt": 1883, "postgres": 5432, "redis": 6379}
"""The servers' ports of the sessions that were recorded between real programs, by dialect."""

WIRESHARK = {"fix": "fix", "mqtt": "mqtt", "postgres": "pgsql", "redis": "resp"}
"""What Wireshark calls the protocols."""

BY_HAND = ("by_hand", "garbage", "refusals", "encryption")
"""Sessions whose bytes are not all of the protocol."""

FIELDS = (
    "frame.protocols",
    "tcp.stream",
    "tcp.srcport",
    "tcp.len",
    "tcp.analysis.flags",
    "tcp.checksum.status",
    "ip.checksum.status",
    "_ws.malformed",
    "_ws.expert.severity",
    "frame.comment",
    "tcp.payload",
    "tcp.flags.reset",
    "tcp.flags.fin",
)


def tshark(capture: Path, *options: str) -> str:
    """Return what tshark prints about a capture. It checks checksums."""
    checks = ("-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE")
    command = [needed("tshark", "tshark"), "-r", str(capture), *checks, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST / 2, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def packets_of(capture: Path) -> list[dict[str, str]]:
    """Return what tshark sees in each packet."""
    chosen = [option for field in FIELDS for option in ("-e", field)]
    lines = tshark(capture, "-T", "fields", "-E", "separator=\x1f", *chosen).split("\n")[:-1]
    return [dict(zip(FIELDS, line.split("\x1f"), strict=True)) for line in lines]


class CaptureTests(SynchronousTestCase):
    """What Wireshark sees in a capture."""

    def capture(self, messages: Iterable[RecordedMessage], links: Iterable[RecordedLink], **options: Any) -> Path:
        """Return the capture of a recording."""
        recording_path, path = Path(self.mktemp()), Path(self.mktemp())
        write_recording(recording_path, messages, links=links, facts={"began": str(START)})
        with open_recording(recording_path) as recording, open(path, "wb") as file:
            write_pcapng(timeline(recording), file, facts=recording.facts, **options)
        return path

    def assert_sound(self, packets: Iterable[dict[str, str]]) -> None:
        """Wireshark finds nothing wrong with IP and TCP: no lost, repeated or damaged segment, no full window."""
        for number, packet in enumerate(packets, 1):
            found = packet["tcp.analysis.flags"], packet["tcp.checksum.status"], packet["ip.checksum.status"]
            self.assertEqual(found, ("", "1", "1" if ":ip:" in packet["frame.protocols"] else ""), f"packet {number}")

    def test_protocols(self) -> None:
        """Sessions of FIX, MQTT, PostgreSQL and Redis are dissected as these, message by message."""
        links: list[RecordedLink] = []
        messages: list[list[Any]] = []
        expected: dict[int, tuple[str, Recording]] = {}
        for dialect, port in PORTS.items():
            for session in recordings(dialect):
                if not any(word in session.name for word in BY_HAND):
                    link = made_link(len(links) + 1, server_address=f"127.0.0.1:{port}", ended=START + 99 * SECOND)
                    links.append(link)
                    expected[link.id - 1] = (WIRESHARK[dialect], session)
                    messages.append([(link.id, *message) for message in session.messages])
        rows = [
            made_message(0, frame, link=link, after=number / 1000, to_client=direction is Direction.TO_CLIENT)
            for number, (link, direction, frame) in enumerate(mixed(messages))
        ]
        packets = packets_of(self.capture(rows, links))
        self.assert_sound(packets)
        streams = defaultdict(list)
        for packet in packets:
            if packet["tcp.len"] != "0":
                streams[int(packet["tcp.stream"])].append(packet)
        self.assertEqual(streams.keys(), expected.keys())
        for stream, (protocol, session) in expected.items():
            with self.subTest(session.name):
                dissected = [packet["frame.protocols"].split(":") for packet in streams[stream]]
                self.assertEqual({names[3] for names in dissected if len(names) > 3}, {protocol})
                self.assertEqual({packet["_ws.malformed"] for packet in streams[stream]}, {""})
                self.assertGreaterEqual(len(streams[stream]), len(session.messages))
                sent = b"".join(
                    bytes.fromhex(packet["tcp.payload"])
                    for packet in streams[stream]
                    if packet["tcp.srcport"] in map(str, PORTS.values())
                )
                self.assertEqual(sent, session.sent(Direction.TO_CLIENT))

    def test_large_messages(self) -> None:
        """Messages of a megabyte are put together again byte by byte, also where sequence numbers begin again at 0."""
        chosen = random.Random(1)
        big, back = chosen.randbytes(1_000_000), chosen.randbytes(300_000)
        # Here sequence numbers begin again after 500,000 bytes of the client's, there after 100,000 of the server's.
        numbers = [row_for(-500_000 % 2**32), row_for((-100_000 % 2**32) ^ 0x5555_5555)]
        links = [made_link(number, client_address=f"[::1]:{4000 + at}") for at, number in enumerate(numbers)]
        messages = [
            made_message(0, data, link=link.id, after=at, to_client=to_client)
            for at, (link, data, to_client) in enumerate(
                (link, *part) for link in links for part in ((big, False), (back, True))
            )
        ]
        capture = self.capture(messages, links)
        self.assert_sound(packets_of(capture))
        followed = tshark(capture, "-q", *(option for at in range(2) for option in ("-z", f"follow,tcp,raw,{at}")))
        streams = followed.split("Node 1: ")[1:]
        self.assertEqual(len(streams), 2)
        for stream in streams:
            lines = stream.split("=" * 67)[0].splitlines()[1:]
            self.assertEqual(bytes.fromhex("".join(line for line in lines if not line.startswith("\t"))), big)
            self.assertEqual(bytes.fromhex("".join(line[1:] for line in lines if line.startswith("\t"))), back)

    def test_legs_and_ends(self) -> None:
        """Both legs are sound with whatever a repeater does: openings, changes, drops, own messages, and each end."""
        links = [
            made_link(1, ended=START + 9 * SECOND),
            made_link(2, made=START - SECOND, ended=START + 9 * SECOND, reason="ConnectionLost: gone"),
            made_link(3, client_address="unix:", server_address="unix:/run/redis.sock"),
            made_link(4, made=None, refused="ClientNotAllowed: no", ended=START + SECOND),
        ]
        changed: dict[str, Any] = {"passed": False, "verdict": "Send", "by_filter": True}
        messages = [
            made_message(0, b"hello", origin=Origin.OPENING, passed=False, verdict=None),
            made_message(0, origin=Origin.OPENING, forward=b"HELLO", passed=False, verdict=None),
            made_message(0, b"one", after=1, forward=b"two", **changed),
            made_message(0, b"three", after=2, link=2, took=3 * SECOND),
            made_message(0, b"four", after=3, back=b"five", passed=False, verdict="SendBack"),
            made_message(0, b"six", after=4, link=2, to_client=True, passed=False, verdict="DO_NOTHING"),
            made_message(0, after=5, link=3, forward=b"seven", to_client=True, origin=Origin.OWN, verdict=None),
        ]
        seen = {}
        for leg in Side:
            packets = packets_of(self.capture(messages, links, leg=leg))
            self.assert_sound(packets)
            seen[leg] = [bytes.fromhex(packet["tcp.payload"]) for packet in packets if packet["tcp.payload"]]
            self.assertEqual(sum(packet["tcp.flags.reset"] in ("1", "True") for packet in packets), 1)
            self.assertIn("message 3", "".join(packet["frame.comment"] for packet in packets))
        self.assertEqual(seen[Side.CLIENT], [b"hello", b"one", b"three", b"four", b"five", b"seven"])
        self.assertEqual(seen[Side.SERVER], [b"HELLO", b"two", b"six", b"three"])


class RecordedRedisTests(RedisCase):
    """From a real client and a real server to their capture."""

    async def test_from_redis_to_wireshark(self) -> None:
        """What redis-py and Redis say to each other is recorded, and exported while the recording goes on."""
        path, output = self.directory / "traffic.db", self.directory / "traffic.pcapng"
        repeater = await self.start_repeater(dialects.redis(), self.redis.port)
        recorder = record(repeater, path, dialect="redis")
        with connect(repeater.port, client_name="ann") as client:
            await self.in_thread(client.set, "key", b"\xff" * 100_000)
            await self.in_thread(client.echo, "hi")
            await self.until(lambda: recorder.recorded and not recorder.age)
            command = (sys.executable, "-m", "twisted_repeater", "export", str(path))
            status, told = await self.run_client(*command)
            self.assertEqual(status, 0)
            self.assertEqual(await self.in_thread(export, [str(path), "--output", str(output)]), 0)
        await recorder.stop()
        objects = [json.loads(line) for line in told.splitlines()]
        messages = [each for each in objects if each["event"] == "message"]
        command_of_client = array("SET", "key", b"\xff" * 100_000)
        self.assertTrue(any(bytes_of(each["frame"]) == command_of_client for each in messages))
        self.assertIn(
            {"class": "Command", "name": "ECHO", "arguments": ["hi"]}, [each["decoded"] for each in messages[-2:]]
        )
        fields = ("-T", "fields", "-e", "tcp.analysis.flags", "-e", "_ws.col.Info")
        told = await self.in_thread(tshark, output, "-d", f"tcp.port=={self.redis.port},resp", *fields)
        self.assertIn("Request: ECHO hi", told)
        self.assertEqual({line.partition("\t")[0] for line in told.splitlines()}, {""})


def row_for(start: int) -> int:
    """Return the number of a link whose client's sequence numbers begin at one."""
    return start * pow(2_654_435_761, -1, 2**32) % 2**32


def mixed(sessions: list[list[Any]]) -> Iterator[Any]:
    """Return the messages of sessions that take place at the same time."""
    chosen = random.Random(1)
    left = [iter(session) for session in sessions]
    while left:
        session = chosen.choice(left)
        message = next(session, None)
        if message is None:
            left.remove(session)
        else:
            yield message
