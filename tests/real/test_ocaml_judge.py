"""Real bin_prot judges the dialect async_extra: an OCaml client and server talk through a running `twistd repeater`."""

from __future__ import annotations

import atexit
import functools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from typing import TYPE_CHECKING, Any

from ..needed import cannot_test
from ..paths import TESTS, VECTORS
from ..programs import LONGEST, Program, ProgramCase
from .ocaml import judged_filters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted_repeater.codecs.bin_prot import BinProtCodec

RECORDED = VECTORS / "async_extra.json"
OCAML = TESTS / "real" / "ocaml"
DEBIAN_PACKAGES = "ocaml ocaml-findlib libppx-bin-prot-ocaml-dev libbin-prot-ocaml-dev libfieldslib-ocaml-dev"
NEEDED_LIBRARIES = "ppx_bin_prot", "ppxlib.runner", "bin_prot", "unix", "threads.posix"
NAMES = "alice", "bob", "carol"
PATIENCE = "--timeout", "30"
MODES = {"Dont_care_about_mode": 0, "test": 0, "prod": 1}
BIN_PROT_ENTRIES = {
    "int": r"int (.+)",
    "time": r"time (.+)",
    "string": r"string len=(\d+) \(first 9 bytes\)",
    "header": r"header time=(.+) body_length=(\d+)",
    "data": r"data time=(.+) msg=\{seq=(\d+);body=(\d+)\*'(.)'\}",
}


def why_not() -> str | None:
    """What is missing to build the judge."""
    if shutil.which("ocamlfind") is None:
        return f"ocamlfind is missing: apt-get install {DEBIAN_PACKAGES}"
    query = subprocess.run(
        ["ocamlfind", "query", "-recursive", "-predicates", "ppx_driver,native", *NEEDED_LIBRARIES],
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{query.stderr.strip()}: apt-get install {DEBIAN_PACKAGES}" if query.returncode else None


@functools.cache
def judge() -> str:
    """Build the judge once for all tests, and give its path."""
    directory = tempfile.mkdtemp(prefix="judge-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    build = subprocess.run(["sh", OCAML / "build.sh", directory], capture_output=True, text=True, check=False)
    if build.returncode:
        raise AssertionError(f"the judge does not build:\n{build.stderr}")
    return f"{directory}/judge"


class JudgeCase(ProgramCase):
    """A test case with a judge."""

    def setUp(self) -> None:
        """Build the judge, or say why this cannot be tested here."""
        reason = why_not()
        if reason is not None:
            cannot_test(reason)
        super().setUp()
        self.judge = judge()

    def start_server(self, *options: str) -> tuple[Program, str]:
        """Start the judge as a server, and give it with its address when it listens."""
        path = f"{self.directory}/server"
        program = self.run_program(self.judge, "server", path, *PATIENCE, *options)
        program.wait_for(f"listening {path}$")
        return program, path

    def start_client(self, path: str, *options: str) -> Program:
        """Start the judge as a client."""
        return self.run_program(self.judge, "client", path, *PATIENCE, *options)

    def assert_ok(self, program: Program) -> str:
        """A judge ends well; give its verdict."""
        status, output = program.end()
        assert status == 0, output
        verdict = output.splitlines()[-1]
        assert verdict[:3] == "ok "
        return verdict

    def assert_objects(self, program: Program, text: str) -> None:
        """A judge ends badly, for this reason."""
        status, output = program.end()
        assert status == 1, output
        assert text in output


class JudgeTests(JudgeCase):
    """The judge by itself: it has to be right before it may judge."""

    def test_recorded_bytes(self) -> None:
        """The judge reads and writes what the original programs were recorded to send."""
        entries = json.loads(RECORDED.read_text())["entries"]
        lines = "".join(map(line_of, entries))
        done = subprocess.run([self.judge, "check-hex"], input=lines, capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == (f"ok check-hex: {len(entries)} lines\n", "")

    def test_agree(self) -> None:
        """Two judges agree on every value of every message, with no repeater between."""
        server, path = self.start_server("--count", "300", "--seed", "1", "--check-time-stamps")
        client = self.start_client(path, "--count", "300", "--seed", "1", "--check-time-stamps")
        assert self.assert_ok(client) == "ok client alice: 300 replies from server, send version 1, recv version 1"
        assert self.assert_ok(server) == "ok server server: 300 requests from alice"

    def test_agree_over_tcp(self) -> None:
        """The same over TCP, with a client that ends its stream before it reads the replies."""
        server = self.run_program(self.judge, "server", "127.0.0.1:0", "--seed", "2")
        address = server.wait_for("listening (.+)$")[1]
        self.assert_ok(self.start_client(address, "--seed", "2", "--half-close"))
        self.assert_ok(server)

    def test_versions(self) -> None:
        """Each end takes the smaller of what one sends and the other receives."""
        server, path = self.start_server("--send-version", "2", "--recv-version", "128")
        client = self.start_client(path, "--send-version", "5", "--recv-version", "300")
        assert "send version 5, recv version 2" in self.assert_ok(client)
        self.assert_ok(server)

    def test_other_values(self) -> None:
        """Values that are not those expected are noticed."""
        server, path = self.start_server("--seed", "3")
        self.start_client(path, "--seed", "4")
        self.assert_objects(server, "request 1 differs from byte ")

    def test_other_hellos(self) -> None:
        """A client notices another name, another mode and other credentials than it expects."""
        for options, text in [
            (["--server-name", "other"], 'the server\'s name is "server", not "other"'),
            (["--mode", "1"], 'the hello of "server" has mode 0, not 1'),
            (["--expect-credentials", "rep-1"], 'the hello of "server" has the credentials "", not "rep-1"'),
        ]:
            server, path = self.start_server()
            self.assert_objects(self.start_client(path, *options), text)
            server.kill()
            os.unlink(path)

    def test_hello_at_once(self) -> None:
        """The server says hello before it has read anything, in the recorded bytes."""
        _, path = self.start_server()
        recorded = bytes.fromhex("0b000000000000000673657276657200010100")
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(LONGEST)
            client.connect(path)
            assert client.recv(len(recorded), socket.MSG_WAITALL) == recorded

    def test_our_codecs(self) -> None:
        """What the judge writes is read by our bin_prot, and written back to the same bytes."""
        drawn = subprocess.run(
            [self.judge, "draw", "--count", "300", "--seed", "5"], capture_output=True, text=True, check=True
        )
        codecs: dict[str, BinProtCodec[Any]] = {
            "request": judged_filters.request_codec,
            "reply": judged_filters.reply_codec,
        }
        for line in drawn.stdout.splitlines():
            title, body = line.split("\t")
            judged_filters.check_round_trip(codecs[title], bytes.fromhex(body))


class JudgedRepeaterTests(JudgeCase):
    """Judges talk through a running `twistd repeater`, and find nothing changed that should not be."""

    def start_repeater(self, server: str, *options: str) -> tuple[Program, str]:
        """Start a repeater before a server, and give it with its address when it listens."""
        path = f"{self.directory}/repeater"
        shutil.copy(OCAML / "judged_filters.py", self.directory)
        command = ["repeater", "--dialect", "async_extra", "--listen", f"unix:{path}", "--server", f"unix:{server}"]
        command += ["--server-name", "server", "--repeater-name", "rep-1"]
        program = self.run_twistd(*command, *options)
        program.wait_for("accepting clients at")
        return program, path

    def judge_repeater(
        self, *common: str, client: Sequence[str] = (), server: Sequence[str] = (), repeater: Sequence[str] = ()
    ) -> None:
        """Let a client of each name talk to one server at the same time, then end the repeater."""
        common = (*common, "--count", "200", "--expect-credentials", "rep-1", "--credentials", "its own")
        judged_server, server_path = self.start_server("--clients", ",".join(NAMES), *common, *server)
        twistd, path = self.start_repeater(server_path, *repeater)
        judges = [self.start_client(path, "--name", name, *common, *client) for name in NAMES]
        ended = [judge.end() for judge in [judged_server, *judges]]
        report = "".join(output for _, output in ended) + twistd.output
        assert [status for status, _ in ended] == [0] * len(ended), report
        status, log = twistd.terminate()
        assert status in (0, -signal.SIGTERM), log  # twistd ends by the signal that it was sent
        assert "Main loop terminated" in log
        assert "Traceback" not in log

    def test_passed_untouched(self) -> None:
        """Without filters every message arrives with its time stamp, and both ends see the repeater's credentials."""
        self.judge_repeater("--seed", "11", "--check-time-stamps")

    def test_end_of_stream(self) -> None:
        """A client that ends its stream behind its last request gets all replies."""
        self.judge_repeater("--seed", "12", "--check-time-stamps", client=["--half-close"])

    def test_read_and_passed_on(self) -> None:
        """Filters that decode every message, and pass it on, change nothing."""
        self.judge_repeater("--seed", "13", "--check-time-stamps", repeater=filters("read_request", "read_reply"))

    def test_written_anew(self) -> None:
        """Filters that send other messages instead write what bin_prot itself would write, byte by byte."""
        self.judge_repeater(
            "--seed",
            "14",
            server=["--account-prefix", judged_filters.SEEN.decode()],
            repeater=filters("change_request", "rewrite_reply"),
        )


def filters(to_server: str, to_client: str) -> list[str]:
    """Name two of the judged filters to a repeater."""
    return ["--to-server-filter", f"judged_filters:{to_server}", "--to-client-filter", f"judged_filters:{to_client}"]


def line_of(entry: dict[str, Any]) -> str:
    """Say a recording as the judge's check-hex reads it."""
    kind, meta, data = entry["kind"], dict(entry["meta"]), entry["hex"]
    if kind == "hello":
        mode = MODES[meta["mode"]]
        cells = [kind, data, meta["name"], mode, meta["send_version"], meta["recv_version"], meta["credentials"]]
    elif kind == "data":
        size = meta.get("body_size", len(meta["body_text"]))
        cells = [kind, data, repr(meta["time_stamp"]), meta["seq"], (meta["body_text"] * size)[:size]]
    else:
        cells = bin_prot_cells(data, meta["what"])
    return "\t".join(map(str, cells)) + "\n"


def bin_prot_cells(data: str, what: str) -> list[str]:
    """The same for a recording of bin_prot by itself, whose value stands in its description."""
    for kind, pattern in BIN_PROT_ENTRIES.items():
        found = re.fullmatch(pattern, what)
        if found:
            values = list(found.groups())
            if kind == "string":
                values = ["b" * int(values[0])]
            elif kind == "data":
                values[2:] = [values[3] * int(values[2])]
            return [kind, data, *values]
    raise AssertionError(f"an unknown recording: {what}")
