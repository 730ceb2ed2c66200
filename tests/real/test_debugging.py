"""The debugger between real programs: orders, commands and publications that are held, changed, answered, sent."""

from __future__ import annotations

import http.client
import json
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred, maybeDeferred

from twisted_repeater import Dialect, Repeater
from twisted_repeater.service.admin import administration

from ..service.admin.administered import Process, Running
from .fix_case import FixCase
from .mqtt_broker import MqttCase
from .redis_case import RedisCase, connect
from .servers import RealCase

DEBIAN_PACKAGES = "g++ libquickfix-dev mosquitto mosquitto-clients redis-server"

EDGE = "/repeaters/edge"
REST = "21=1|54=1|60=20261126-12:00:00|40=2|44=10"

reactor: Any = installed_reactor


class Debugger:
    """A client of the administration, with a stream; its methods wait, so they are called in threads."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self._connection.request("GET", f"{EDGE}/stream?max_rate=1000")
        self._answer = self._connection.getresponse()
        self.stream: str = self.event("hello")["stream"]

    def close(self) -> None:
        """End the stream."""
        self._answer.close()
        self._connection.close()

    def event(self, name: str, **wanted: object) -> Any:
        """Return the data of the next event of a name, in which some members have these values."""
        found = ""
        while True:
            line = self._answer.readline().decode().strip()
            if line.startswith("event: "):
                found = line.removeprefix("event: ")
            elif line.startswith("data: ") and found == name:
                data = json.loads(line.removeprefix("data: "))
                if wanted.items() <= data.items():
                    return data

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Make a call that succeeds."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        connection.request(
            method, EDGE + path, json.dumps({} if body is None else body), {"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        assert answer.status == 200, data
        return json.loads(data)

    def rule(self, **asked: object) -> int:
        """Make a rule; return its id."""
        return int(self.call("POST", "/rules", {"stream": self.stream, **asked})["id"])

    def settle(self, held: Any, call: str, **message: object) -> None:
        """Decide about a held message."""
        self.call("POST", f"/held/{held['id']}/{call}", {"message": message} if message else {})


class DebuggingCase(RealCase):
    """A repeater with an administration."""

    async def start_repeater(self, dialect: Dialect, port: int, **settings: Any) -> Repeater:
        """Start a repeater, and its administration with a stream."""
        running = Running(dialect=dialect.name)
        repeater = await super().start_repeater(dialect, port, observers=running.observers, **settings)
        running.repeater, running.dialect = repeater, dialect
        admin = reactor.listenTCP(0, administration(Process(running), reactor=reactor), interface="127.0.0.1")
        self.debugger = await self.in_thread(Debugger, admin.getHost().port)
        self.addCleanup(maybeDeferred, admin.stopListening)
        self.addCleanup(self.debugger.close)
        return repeater


class RedisTests(DebuggingCase, RedisCase):
    """Redis, with redis-py."""

    async def test_hold(self) -> None:
        """A command is changed, another one answered, and a password is not shown; the client goes on all the time."""
        port = await self.repeat()
        debugger = self.debugger

        def run() -> list[object]:
            with connect(port) as client:
                results = [client.set("colour", "red"), client.get("colour"), client.get("other")]
                return [*results, client.config_set("masterauth", "geheim")]

        rule = await self.in_thread(debugger.rule, type="SET", direction="to_server", text="colour")
        other = await self.in_thread(debugger.rule, type="GET", text="other")
        results = self.in_thread(run)
        held = await self.in_thread(debugger.event, "held", rule=rule)
        self.assertEqual((held["message"]["summary"], held["settable"][-1]), ("SET colour red", "argument 2"))
        await self.in_thread(debugger.settle, held, "change", set={"argument 2": "blue"})
        held = await self.in_thread(debugger.event, "held", rule=other)
        await self.in_thread(debugger.settle, held, "answer", text=r"$5\r\ngreen\r\n")
        shown = await self.in_thread(debugger.event, "message", type="CONFIG")
        self.assertEqual((shown["summary"], shown["bytes"]), ("CONFIG SET masterauth (redacted)", None))
        self.assertEqual(await results, [True, "blue", "green", True])


class MqttTests(DebuggingCase, MqttCase):
    """MQTT, with mosquitto's clients."""

    async def test_hold(self) -> None:
        """A publication is changed, the next one dropped, another one sent; the subscriber gets what was decided."""
        port = await self.repeat()
        subscriber = await self.subscribe(port, "mqttv5", "-C", "3", "-F", "got %t %p")
        debugger = self.debugger
        rule = await self.in_thread(debugger.rule, type="publish", direction="to_server")
        decisions: list[tuple[str, str, dict[str, Any]]] = [
            ("one", "change", {"set": {"payload": "ONE"}}),
            ("two", "drop", {}),
        ]
        for text, call, message in decisions:
            done = Deferred.fromCoroutine(self.publish(port, "mqttv5", "news", text, "-q", "0"))
            held = await self.in_thread(debugger.event, "held", rule=rule)
            self.assertIn(["payload", text, None], held["message"]["fields"])
            await self.in_thread(debugger.settle, held, call, **message)
            self.assertEqual((await done)[0], 0)
        await self.in_thread(debugger.call, "DELETE", f"/rules/{rule}")
        await self.in_thread(subscriber.wait_for, "got news ONE")  # the broker takes its time
        link = min(link.id for link in self.repeater.links())
        packet = "30 09 00 04 6e 65 77 73 00 6f 77"
        body = {"direction": "to_client", "message": {"hex": packet}}
        await self.in_thread(debugger.call, "POST", f"/links/{link}/send", body)
        await self.publish(port, "mqttv5", "news", "three", "-q", "1")
        output = (await self.in_thread(subscriber.end))[1]
        self.assertEqual(
            [line for line in output.splitlines() if line.startswith("got")],
            ["got news ONE", "got news ow", "got news three"],
        )


class FixTests(DebuggingCase, FixCase):
    """FIX, with two engines of QuickFIX."""

    async def test_halve(self) -> None:
        """An order is held, halved and released; a second one is dropped; the engines stay in step."""
        await self.engines()
        debugger = self.debugger
        rule = await self.in_thread(debugger.rule, type="NewOrderSingle", direction="to_server", timeout=600)
        for number in (1, 2):
            self.initiator.type(f"send 35=D|11={number}|55=ACME|38=1000|{REST}")
        held = await self.in_thread(debugger.event, "held", rule=rule)
        self.assertIn(["38", "1000", "OrderQty"], held["message"]["fields"])
        await self.in_thread(debugger.settle, held, "change", set={"OrderQty": "500"})
        held = await self.in_thread(debugger.event, "held", rule=rule)
        await self.in_thread(debugger.settle, held, "drop")
        await self.in_thread(debugger.call, "DELETE", f"/rules/{rule}")
        self.initiator.type(f"send 35=D|11=3|55=ACME|38=1000|{REST}")
        await self.until(lambda: len(self.acceptor.told("got", "D")) == 2, self.both_logs)
        orders = [(line.get(11), line.get(38)) for line in self.acceptor.told("got", "D")]
        self.assertEqual(orders, [("1", "500"), ("3", "1000")])
        await self.in_step()
        self.calm()
        await self.gets_all_again(self.acceptor)
