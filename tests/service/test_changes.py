"""Reloads: what is applied, what needs a restart, and that an error leaves everything as it was."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import maybeDeferred

from twisted_repeater.service import RepeaterService
from twisted_repeater.service.changes import ReloadAnswer, with_certificates
from twisted_repeater.service.loading import LoadingError
from twisted_repeater.tls_options import Reread

from ..peers import Server, turn
from ..programs import kept_port
from .test_service import ANSWERING, ServiceCase

reactor: Any = installed_reactor

EDGE = "[repeater.edge]\nLISTEN\nSERVER\n"

PAIR = (
    "from twisted_repeater import SendBack\n"
    "class Pair:\n"
    "    def for_link(self, link):\n"
    "        return (lambda message, link: SendBack([{answer}]), None)\n"
)


def keys(**outcomes: str) -> ReloadAnswer:
    """Return an answer for the repeater edge; a hyphen is an underscore here."""
    answers: Any = {option.replace("_", "-"): outcome for option, outcome in outcomes.items()}
    return ReloadAnswer("edge", None, answers)


APPLIED, RESTART = "applied", "restart needed"


class ChangeCase(ServiceCase):
    """A test case with a service of a file that changes."""

    def begin(self, text: str = EDGE) -> RepeaterService:
        """Start a service."""
        self.service_ = service = self.start(self.configured(text))
        return service

    def change(self, text: str) -> list[ReloadAnswer]:
        """Write another file, and reload."""
        self.write_config(text)
        return self.service_.reload()


class AppliedTests(ChangeCase):
    """What can be changed while links run."""

    async def test_nothing(self) -> None:
        """A reload without changes changes nothing: links, ports and filters stay."""
        self.write("rules.py", ANSWERING.format(answer="b'old'"))
        service = self.begin(EDGE + 'to-server-filter = "rules:decide"\n')
        client = await self.linked("ann")
        filters = service.hosted["edge"].filters
        self.assertEqual(service.reload(), [])
        self.assertEqual(service.hosted["edge"].filters, filters)
        self.assertEqual(await self.ask(client), b"old")

    async def test_filters(self) -> None:
        """Filters are replaced on the links that are there: by other contents, by other names, and by none."""
        self.write("rules.py", ANSWERING.format(answer="b'old'"))
        self.write("others.py", PAIR.format(answer="b'other'"))
        self.begin(EDGE + 'to-server-filter = "rules:decide"\n')
        client = await self.linked("ann")
        self.write("rules.py", ANSWERING.format(answer="b'new'"))
        self.assertEqual(self.service_.reload(), [keys(to_server_filter=APPLIED)])
        self.assertEqual(await self.ask(client), b"new")
        answers = self.change(EDGE + 'filter = ["others:Pair"]\non-filter-error = "drop"\n')
        self.assertEqual(answers, [keys(to_server_filter=APPLIED, filter=APPLIED, on_filter_error=APPLIED)])
        self.assertEqual(await self.ask(client), b"other")
        self.assertEqual(self.change(EDGE), [keys(filter=APPLIED, on_filter_error=APPLIED)])
        self.assertIs(self.service_.hosted["edge"].filters["filter"], None)

    async def test_filters_of_one(self) -> None:
        """Changing one repeater leaves the filters of the others alone."""
        self.write("rules.py", ANSWERING.format(answer="b'a'"))
        one = EDGE + 'to-server-filter = "rules:decide"\n'
        service = self.begin(one + one.replace("edge", "other"))
        before = service.hosted["other"].filters
        self.write("more.py", ANSWERING.format(answer="b'b'"))
        answers = self.change(one.replace("rules", "more") + one.replace("edge", "other"))
        self.assertEqual(answers, [keys(to_server_filter=APPLIED)])
        self.assertIs(service.hosted["other"].filters["to-server-filter"], before["to-server-filter"])
        self.assertEqual(await self.answer(), b"b")

    async def test_newcomers(self) -> None:
        """Who may connect, and where the server is, count for newcomers."""
        self.begin()
        client = await self.linked("ann")
        other = Server()
        port = self.sockets.listen(other)
        self.addCleanup(maybeDeferred, port.stopListening)
        text = EDGE.replace("SERVER", f'server = "tcp:127.0.0.1:{port.getHost().port}"\nserver-name = "quotes"')
        text += 'allow-client = ["b*"]\nallow-ip = ["127.0.0.0/8"]\n'
        self.assertEqual(self.change(text), [keys(server=APPLIED, allow_client=APPLIED, allow_ip=APPLIED)])
        await self.here.still_relays(client, self.here.server.peers[0])
        await self.linked("bob")
        self.assertEqual([peer.greeted_by for peer in other.peers], ["bob"])
        eve = await self.here.connect(b"")
        eve.send(b'{"name": "eve"}')
        await eve.lost()
        self.change(text.replace("127.0.0.0/8", "10.0.0.0/8"))
        for peer in other.peers:
            peer.abort()
        await (await self.here.connect(b"")).lost()

    def test_faults(self) -> None:
        """Faults of the file are set and removed; those that stay are not set again, and others go on."""
        service = self.begin(EDGE + 'fault = ["drop", "latency:seconds=1:name=slow"]\n')
        faults = service.hosted["edge"].repeater.faults
        faults.set("other", next(iter(faults)).fault)
        before = {each.name: each for each in faults}
        answers = self.change(EDGE + 'fault = ["drop", "latency:seconds=2:name=slow"]\n')
        self.assertEqual(answers, [keys(fault=APPLIED)])
        now = {each.name: each for each in faults}
        self.assertEqual(sorted(now), ["drop", "other", "slow"])
        self.assertIs(now["drop"], before["drop"])
        self.assertIsNot(now["slow"], before["slow"])

    async def test_recording(self) -> None:
        """A recording goes on in another file, begins and ends; the same file with other options needs a restart."""
        service = self.begin()
        edge = service.hosted["edge"]
        one, two = (os.path.join(self.directory, name) for name in ("one.db", "two.db"))
        self.assertEqual(self.change(EDGE + f'record = "{one}"\n'), [keys(record=APPLIED)])
        first: Any = edge.recording
        self.assertTrue(first.runs)
        self.assertEqual(self.change(EDGE + f'record = "{one}:keep=9"\n'), [keys(record=RESTART)])
        self.assertIs(edge.recording, first)
        self.assertEqual(self.change(EDGE + f'record = "{two}"\n'), [keys(record=APPLIED)])
        second: Any = edge.recording
        await first.stop()
        self.assertTrue(second.runs)
        self.assertEqual(self.change(EDGE), [keys(record=APPLIED)])
        self.assertEqual((edge.recording, edge.metrics.recording), (None, None))
        await second.stop()
        self.assertFalse(first.runs or second.runs)

    def test_process(self) -> None:
        """Options of the process change, too; those that need a restart keep their values, and that is said again."""
        service = self.begin("drain-timeout = 10\n" + EDGE)
        text = 'drain-timeout = 20\nlog-level = "debug"\nadmin = "unix:/tmp/never"\n' + EDGE
        for expected in ({"drain-timeout": APPLIED, "log-level": APPLIED, "admin": RESTART}, {"admin": RESTART}):
            (answer,) = self.change(text)
            self.assertEqual((answer.repeater, dict(answer.keys)), ("", expected))
        self.assertEqual((service.settings.values["drain-timeout"], service.settings.values["admin"]), (20, None))

    def test_without_a_file(self) -> None:
        """Without a configuration file, the files that options name are read again."""
        token = self.write("token", "a" * 20)
        token.chmod(0o600)
        service = self.start(self.service(admin=f"unix:{self.directory}/admin", admin_token_file=str(token)))
        self.assertEqual(service.reload(), [])
        token.write_text("b" * 20)
        self.assertEqual(service.reload(), [ReloadAnswer("", None, {"admin-token-file": "applied"})])

    def test_restart(self) -> None:
        """What cannot be changed is answered so at each reload, and stays as it was."""
        service = self.begin()
        for _ in range(2):
            answers = self.change(EDGE + 'max-clients = 7\nsame-name = "share"\n')
            self.assertEqual(answers, [keys(max_clients=RESTART, same_name=RESTART)])
        self.assertIs(service.hosted["edge"].settings.values["max-clients"], None)
        self.assertNotIn("max-clients", service.hosted["edge"].facts)
        self.assertEqual(self.change(EDGE), [])

    def test_fixed(self) -> None:
        """A filter in the module of an application needs a restart when the file has changed."""
        text = "class App:\n    observers = []\ndef decide(message, link): ...\n"
        self.write("rules.py", text)
        service = self.begin(EDGE + 'app = "rules:App"\nto-server-filter = "rules:decide"\n')
        self.assertEqual(service.reload(), [])
        self.write("rules.py", text + "# changed\n")
        self.assertEqual(service.reload(), [keys(to_server_filter=RESTART)])


class TablesTests(ChangeCase):
    """Repeaters that are added and removed."""

    async def test_added_and_removed(self) -> None:
        """A new table begins; one that is gone is drained; links of others go on."""
        self.write("rules.py", ANSWERING.format(answer="b'new'"))
        service = self.begin()
        client = await self.linked("ann")
        new = EDGE.replace("edge", "new") + 'to-server-filter = "rules:decide"\n'
        self.assertEqual(self.change(EDGE + new), [ReloadAnswer("new", None, {"repeater": "applied"})])
        self.use(service, "new")
        self.assertEqual(await self.answer("bob"), b"new")
        await self.here.still_relays(client, self.here.server.peers[0])
        self.use(service, "edge")
        self.assertEqual(self.change(EDGE), [ReloadAnswer("new", None, {"repeater": "applied"})])
        self.assertEqual(list(service.hosted), ["edge"])
        await self.here.still_relays(client, self.here.server.peers[0])

    async def test_stopped_while_one_is_drained(self) -> None:
        """A service that stops without draining does not wait for one that is drained, and leaves no timer of it."""
        service = self.begin(EDGE + EDGE.replace("edge", "other"))
        self.use(service, "other")
        client = await self.linked("ann")
        self.change(EDGE)
        self.assertEqual(len(service._leaving), 1)
        await service.stopService()
        await client.lost()
        self.assertEqual(service._leaving, {})

    async def test_one(self) -> None:
        """The reload of one repeater leaves the others, and the options of the process, as they are."""
        both = EDGE + EDGE.replace("edge", "other")
        service = self.begin(both)
        changed = "drain-timeout = 7\n" + both.replace("SERVER", 'SERVER\nallow-client = ["a*"]')
        self.write_config(changed + EDGE.replace("edge", "third"))
        self.assertEqual(service.hosted["edge"].reload(), keys(allow_client=APPLIED))
        self.assertEqual(service.hosted["other"].settings.values["allow-client"], [])
        self.assertEqual((list(service.hosted), service.settings.values["drain-timeout"]), (["edge", "other"], 30))
        self.assertEqual(service.hosted["edge"].reload(), ReloadAnswer("edge"))


class RenamedTests(ChangeCase):
    """Tables that are renamed, and keep their port."""

    def begin_at(self, listen: str, more: str = "") -> str:
        """Start a service whose repeater listens there; return the text of its table."""
        text = EDGE.replace("LISTEN", f'listen = "{listen}"') + more
        self.begin(text)
        return text

    async def drained(self) -> None:
        """Wait until those that were removed are gone."""
        while self.service_._leaving:
            await turn()

    def free_port(self) -> str:
        """Return the description of a port that is free."""
        return f"tcp:{kept_port(self)}:interface=127.0.0.1"

    async def test_renamed(self) -> None:
        """One reload is enough: the new one has the port at once, and links of the old one end as they rest."""
        text = self.begin_at(self.free_port())
        ann = await self.linked("ann")
        self.write("rules.py", ANSWERING.format(answer="b'new'"))
        answers = self.change(text.replace("edge", "new") + 'to-server-filter = "rules:decide"\n')
        self.assertEqual([(each.repeater, each.error) for each in answers], [("new", None), ("edge", None)])
        self.assertEqual([each.keys for each in answers], [{"repeater": "applied"}] * 2)
        self.assertEqual(list(self.service_.hosted), ["new"])
        self.assertTrue(self.service_._logs.names_repeaters)  # as both may log now
        self.use(self.service_, "new")
        self.assertEqual(await self.answer("bob"), b"new")
        await ann.lost()
        await self.drained()
        self.assertEqual(await self.answer("bob"), b"new")
        port = self.here.repeater.port
        await self.service_.stopService()
        await self.refused(port)

    async def test_not_renamed(self) -> None:
        """If the reload fails, the old one still has its port, and accepts clients; a later one can take it."""
        text = self.begin_at(self.free_port())
        new = text.replace("edge", "new")
        for wrong in ('filter = ["nowhere:x"]\n', 'app = "nowhere:x"\n', 'record = "/proc/x.db"\n'):
            (answer,) = self.change(new + wrong)
            self.assertIsNot(answer.error, None)
            self.assertEqual(list(self.service_.hosted), ["edge"])
            client = await self.linked("ann")
            await self.here.still_relays(client, self.here.server.peers[-1])
            client.close()
            await client.lost()
        self.assertEqual(len(self.change(new)), 2)
        self.use(self.service_, "new")
        await self.linked("bob")
        await self.drained()

    async def test_unix(self) -> None:
        """A Unix socket stays, with its lock, until the new one ends."""
        path = f"{self.directory}/socket"
        text = self.begin_at(f"unix:{path}")
        before = os.stat(path)
        self.change(text.replace("edge", "new"))
        await self.drained()
        self.assertTrue(os.path.samestat(os.stat(path), before))
        self.assertTrue(os.path.lexists(f"{path}.lock"))
        await self.service_.stopService()
        self.assertFalse(os.path.lexists(path) or os.path.lexists(f"{path}.lock"))

    async def test_down(self) -> None:
        """A port that a fault has closed is not handed over: that is an error, and the fault goes on."""
        text = self.begin_at(self.free_port(), 'fault = ["down"]\n')
        (answer,) = self.change(text.replace("edge", "new"))
        self.assertIn("cannot be taken over now: it is closed, by a fault for example", str(answer.error))
        self.assertEqual(self.change(text.replace('fault = ["down"]\n', "")), [keys(fault=APPLIED)])
        self.assertEqual(len(self.change(text.replace("edge", "new"))), 2)
        await self.drained()


class FailingTests(ChangeCase):
    """Errors, after which everything is as it was."""

    def check(self, text: str, *answers: tuple[str, str]) -> None:
        """See that a change fails with these errors, and changes nothing."""
        service = self.service_
        before = {name: (each.settings, each.filters, each.recording) for name, each in service.hosted.items()}
        got = self.change(text)
        self.assertEqual(len(got), len(answers), got)
        for answer, (repeater, error) in zip(got, answers, strict=True):
            self.assertEqual((answer.repeater, answer.keys), (repeater, {}))
            self.assertIn(error, str(answer.error))
        now = {name: (each.settings, each.filters, each.recording) for name, each in service.hosted.items()}
        self.assertEqual(now, before)

    async def test_wrong(self) -> None:
        """A file that is wrong, or what cannot be loaded or bound, is an error that says where; the rest waits, too."""
        taken = reactor.listenTCP(0, Server(), interface="127.0.0.1")
        self.addCleanup(maybeDeferred, taken.stopListening)
        busy = f"tcp:{taken.getHost().port}:interface=127.0.0.1"
        self.begin()
        new = EDGE.replace("edge", "new")
        other = EDGE + 'allow-client = ["x"]\nrecord = "{}"\n'.format(os.path.join(self.directory, "traffic.db"))
        for text, *answers in (
            (EDGE + "nonsense = 1\n", ("", "nonsense")),
            (other + new + 'dialect = "nowhere:x"\n', ("new", "repeater.new.dialect: cannot import nowhere")),
            (other + new + 'filter = ["nowhere:x"]\n', ("edge", "repeater.new.filter: cannot import nowhere")),
            (other + new.replace("LISTEN", f'listen = "{busy}"'), ("new", "Address already in use")),
            (EDGE + 'record = "/proc/x.db"\n', ("edge", "No such file or directory")),
            ('admin-token-file = "/nowhere"\nadmin = "unix:/tmp/never"\n' + other, ("", "admin-token-file")),
        ):
            self.check(text, *answers)
        client = await self.linked("ann")
        await self.here.still_relays(client, self.here.server.peers[0])
        self.assertEqual(self.change(EDGE), [])

    async def test_taken_by_another(self) -> None:
        """A port that another repeater has until it ends is an error that says what to do; doing that helps."""
        edge = EDGE.replace("LISTEN", f'listen = "unix:{self.directory}/socket"')
        service = self.begin(edge)
        renamed = edge.replace("edge", "new").replace("socket", "socket:mode=600")
        self.check(renamed, ("new", "is still in use by the repeater edge: reload without new first, which ends edge"))
        self.check(EDGE + renamed, ("new", "is still in use by the repeater edge: restart"))
        other = EDGE.replace("edge", "other")
        self.change(other)
        await turn(3)  # until the port is closed
        self.assertEqual(self.change(other + renamed), [ReloadAnswer("new", None, {"repeater": "applied"})])
        self.assertEqual(sorted(service.hosted), ["new", "other"])

    async def test_applications(self) -> None:
        """An application that cannot start is an error; one that had started before it is told to stop."""
        self.write(
            "fine.py",
            "calls = []\nclass App:\n    def start(self, repeater): calls.append(1)\n    stop = calls.clear\n",
        )
        self.write("bad.py", "class App:\n    def start(self, repeater): raise OSError('no')\n")
        self.begin()
        new = EDGE.replace("edge", "new") + 'app = "fine:App"\n' + EDGE.replace("edge", "worse") + 'app = "bad:App"\n'
        text = "edge.toml: repeater.worse.app: bad:App cannot start: OSError: no (bad.py, line 2)"
        self.write("rules.py", ANSWERING.format(answer="b'new'"))
        for filters in ("", 'to-server-filter = "rules:decide"\n'):
            self.check(EDGE + new + filters, ("edge", text))
            import fine  # type: ignore[import-not-found]

            while fine.calls:
                await turn()

    def test_late_application(self) -> None:
        """A repeater whose application fails later is not ready; the next reload begins it again, or removes it."""
        self.write(
            "late.py",
            "from twisted.internet.defer import Deferred\nwaiting = []\n"
            "class App:\n    def start(self, repeater):\n"
            "        waiting.append(Deferred())\n        return waiting[-1]\n",
        )
        service = self.begin()
        new = EDGE.replace("edge", "new")
        for text in (EDGE + new + 'app = "late:App"\n',) * 2:
            self.assertEqual(self.change(text), [ReloadAnswer("new", None, {"repeater": "applied"})])
            import late  # type: ignore[import-not-found]

            late.waiting[-1].errback(OSError("no"))
            self.assertEqual(len(self.flushLoggedErrors(LoadingError)), 1)
            self.assertEqual((service.unready(), list(service.repeaters)), (["new: no port is bound"], ["edge"]))
        self.change(EDGE)
        self.assertEqual((service.unready(), list(service.hosted)), ([], ["edge"]))
        self.change(EDGE + new)
        self.assertEqual((service.unready(), list(service.repeaters)), ([], ["edge", "new"]))

    async def test_recording(self) -> None:
        """A recording that had ended, or had to begin, is as it was before."""
        record = 'record = "{}"\n'.format(os.path.join(self.directory, "traffic.db"))
        self.begin(EDGE + record)
        self.check(EDGE + 'filter = ["nowhere:x"]\n', ("edge", "cannot import nowhere"))
        recording: Any = self.service_.hosted["edge"].recording
        self.assertTrue(recording.runs)

    async def test_unfit_filters(self) -> None:
        """If a filter of one repeater does not fit, the filters of all stay; a later file counts."""
        self.write("one.py", ANSWERING.format(answer="b'old'"))
        self.write("two.py", ANSWERING.format(answer="b'old'"))
        one = EDGE + 'to-server-filter = "one:decide"\n'
        text = one + one.replace("edge", "other").replace("one:", "two:")
        self.begin(text)
        client = await self.linked("ann")
        self.write("one.py", ANSWERING.format(answer="b'new'"))
        self.write("two.py", "def decide(message, link): ...\ndecide.selector = 'not a selector'\n")
        self.check(text, ("", "the new filters cannot be used: TypeError: "))
        self.assertEqual(await self.ask(client), b"old")
        self.write("two.py", ANSWERING.format(answer="b'new'"))
        self.assertEqual(len(self.change(text)), 2)
        self.assertEqual(await self.ask(client), b"new")


class CertificateTests(ChangeCase):
    """Certificates that are read again."""

    def test_answers(self) -> None:
        """They are answered for the option that names them, also if nothing else has changed."""
        settings = self.settings(listen="tcp:1", admin="tcp:2:interface=127.0.0.1")
        before = [ReloadAnswer("repeater", None, {"listen": "restart needed"})]
        reread = [
            Reread("tcp:1", True, None),
            Reread(self.server, True, None),
            Reread("tcp:2:interface=127.0.0.1", False, None),
            Reread("the dialect", True, None),
            Reread("another", False, "no such file"),
        ]
        self.assertEqual(
            with_certificates(before, settings, reread),
            [
                ReloadAnswer("repeater", None, {"listen": "restart needed", "server": "applied"}),
                ReloadAnswer("", None, {"certificates": "applied"}),
                ReloadAnswer("", "certificates: no such file"),
            ],
        )
