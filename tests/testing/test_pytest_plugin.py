"""The fixtures of pytest, in a pytest of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

from twisted.trial.unittest import SynchronousTestCase

import twisted_repeater
from twisted_repeater.faults import Drop
from twisted_repeater.testing import MemoryRepeater

PACKAGE_PARENT = Path(twisted_repeater.__file__).resolve().parents[1]


class PluginTests(SynchronousTestCase):
    """What a project gets that asks for the fixtures in its ``conftest.py``."""

    def pytest(self, tests: str, *arguments: str, passed: int = 0, failed: int = 0, errors: int = 0) -> str:
        """Run tests in a project of their own, check how many passed and failed, and give what was printed."""
        project = Path(self.mktemp())
        project.mkdir()
        (project / "pytest.ini").write_text("[pytest]\n")
        (project / "conftest.py").write_text('pytest_plugins = ["twisted_repeater.testing.pytest_plugin"]\n')
        (project / "test_it.py").write_text("import pytest_twisted\nfrom twisted_repeater import *\n" + dedent(tests))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
            cwd=project,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(PACKAGE_PARENT), os.environ.get("PYTHONPATH", "")])},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        counts = [int(count) for count in re.findall(r"(\d+) (?:passed|failed|error)", done.stdout.splitlines()[-1])]
        self.assertEqual(counts, [count for count in (failed, passed, errors) if count], done.stdout)
        return done.stdout

    def test_on_sockets(self) -> None:
        """A repeater on real sockets runs between clients and a server of the test, and is gone after it."""
        self.pytest(
            """
            from twisted.internet import reactor, tcp

            def answer(message, link):
                return SendBack([b"no"]) if message == b"bad" else PASS_ON

            @pytest_twisted.ensureDeferred
            async def test_first(socket_repeater):
                running = await socket_repeater(to_server_filter=answer)
                alice = await running.connect("alice")
                alice.send(b"bad", b"good")
                await alice.will_get(b"no")
                await running.server["alice"].will_get(b"good")

            @pytest_twisted.ensureDeferred
            async def test_two(socket_repeater):
                assert not any(isinstance(each, (tcp.Port, tcp.Connection)) for each in reactor.getReaders())
                one, other = await socket_repeater(), await socket_repeater(server_name="other")
                assert one.repeater.port != other.repeater.port
                assert (await other.connect("bob")).heard.name == "other"
            """,
            passed=2,
        )

    def test_on_another_reactor(self) -> None:
        """So on the reactor of asyncio."""
        self.pytest(
            """
            @pytest_twisted.ensureDeferred
            async def test_first(socket_repeater):
                running = await socket_repeater()
                alice = await running.connect("alice")
                alice.send(b"hello")
                await running.server["alice"].will_get(b"hello")
            """,
            "--reactor=asyncio",
            passed=1,
        )

    def test_in_memory(self) -> None:
        """There are fixtures for what runs in memory, which need no reactor."""
        self.pytest(
            """
            def test_harness(filter_harness):
                harness = filter_harness(lambda message, link: SendBack([link.state]), state=b"7")
                harness.client_sends(b"?").expect(to_client=[b"7"])

            def test_repeater(memory_repeater):
                running = memory_repeater()
                running.connect("alice").send(b"hello")
                running.server["alice"].expect(b"hello")
            """,
            "-p",
            "no:twisted",
            passed=2,
        )

    def test_transcripts(self) -> None:
        """A test that fails shows what happened, once, whichever assertion it was; one that passes doesn't."""
        told = self.pytest(
            """
            def test_plain_assert(filter_harness):
                outcome = filter_harness().client_sends(b"good order")
                assert outcome.to_server == []

            def test_expect(memory_repeater):
                running = memory_repeater()
                running.connect("alice").send(b"order of alice")
                running.server["alice"].expect()

            @pytest_twisted.ensureDeferred
            async def test_sockets(socket_repeater):
                running = await socket_repeater()
                alice = await running.connect("alice")
                alice.send(b"never answered")
                await running.server["alice"].receive()
                assert False

            def test_fine(filter_harness):
                filter_harness().client_sends(b"nothing to see")
            """,
            failed=3,
            passed=1,
        )
        told = told.partition("short test summary")[0]  # which has the messages whole where CI is set
        self.assertEqual(told.count("what happened at the repeater"), 2)
        for line in (
            "0.000 s  client     client sends  b'good order'",
            "0.000 s  client     server gets   b'good order'",
            "0.000 s  alice      server gets   b'order of alice'",
            "alice      server gets   b'never answered'",
        ):
            self.assertEqual(told.count(line + "\n"), 1, line)
        self.assertNotIn("nothing to see'\n", told)

    def test_seed(self) -> None:
        """The seeds of faults are drawn from that of the run, which a test that fails under faults shows."""
        told = self.pytest(
            """
            from twisted_repeater.faults import Drop

            def test_memory(memory_repeater):
                with memory_repeater().breaking(Drop()) as drop:
                    assert drop.seed is None

            def test_thread(thread_repeater):
                running = thread_repeater(dialects.lines(), server="tcp:127.0.0.1:1")
                with running.breaking(Drop()):
                    assert False

            def test_own_choice(repeater_seed):
                assert repeater_seed == 8

            def test_without(memory_repeater):
                assert memory_repeater() is None
            """,
            "--repeater-seed=7",
            failed=4,
        )
        with MemoryRepeater(fault_seed=7).breaking(Drop()) as drop:
            self.assertEqual(told.count(f"begins, with the seed {drop.seed}"), 2)
        self.assertEqual(told.count("the same faults again"), 3)
        for test in ("test_memory", "test_thread", "test_own_choice"):
            self.assertRegex(told, rf"\npytest --repeater-seed=7 \S+::{test}\n")

    def test_frames_of_the_kit(self) -> None:
        """A failed expectation shows the line of the test and the transcript, and no line of the kit."""
        told = self.pytest(
            """
            from twisted.trial.unittest import SynchronousTestCase
            from zope.interface import implementer
            from twisted_repeater.testing import FilterHarness, MemoryRepeater, check_codec

            class HarnessTests(SynchronousTestCase):
                def test_outcome(self):
                    FilterHarness().client_sends(b"order").expect()

            def test_peer():
                MemoryRepeater().connect("alice").expect(b"welcome")

            def test_server():
                MemoryRepeater().server["alice"]

            @implementer(ICodec)
            class Upper:
                def decode(self, payload):
                    return payload.upper()

                def encode(self, message):
                    return message

            def test_codec():
                check_codec(Upper(), [b"message"])
            """,
            failed=4,
        )
        for line in (
            'client_sends(b"order").expect()',
            'expect(b"welcome")',
            'server["alice"]',
            "What happened:",
            "Upper: b'message' becomes",
        ):
            self.assertIn(line, told)
        self.assertNotIn("twisted_repeater/testing", told)

    def test_without_pytest_twisted(self) -> None:
        """The fixture that needs pytest-twisted says so where that is switched off."""
        told = self.pytest("def test_it(socket_repeater): pass", "-p", "no:twisted", errors=1)
        self.assertIn("socket_repeater needs pytest-twisted", told)

    def test_asked_for(self) -> None:
        """Nobody has the fixtures who does not ask for them."""
        directory = Path(self.mktemp())
        directory.mkdir()
        (directory / "pytest.ini").write_text("[pytest]\n")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--fixtures", "-p", "no:cacheprovider"],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertNotIn("filter_harness", done.stdout)
