"""A sample of the recorded sessions passes on real sockets, too."""

from __future__ import annotations

from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory
from twisted.trial.unittest import TestCase

from twisted_repeater import Direction, Repeater

from ..peers import keep, reactor, turn
from .playing import End
from .protocols import PROTOCOLS, Case
from .recording import Recording

SAMPLE = (
    "postgres/large",
    "postgres/scram",
    "redis/large",
    "redis/login",
    "mqtt/qualities_5",
    "mqtt/qualities_4",
    "fix/data",
)


class SocketReplayTests(TestCase):
    """The replays on sockets."""

    timeout = 60

    async def test_sample(self) -> None:
        """Each message comes out as it went in, through filters that look at all of them."""
        for case in PROTOCOLS.values():
            for recording in case.recordings:
                if recording.name in SAMPLE:
                    await self.replay(case, recording)

    async def replay(self, case: Case, recording: Recording) -> None:
        """Replay a session."""
        servers: list[End] = []

        def serve() -> End:
            servers.append(End(case.answer() if case.answer else None))
            return servers[-1]

        port = reactor.listenTCP(0, Factory.forProtocol(serve), interface="127.0.0.1")
        server = f"tcp:127.0.0.1:{port.getHost().port}"
        repeater = await Repeater.create(
            case.dialect(), repeater_name="edge", listen="tcp:0:interface=127.0.0.1", server=server
        )
        repeater.start(**case.passing["typed filters"](), on_error=keep)
        client = End()
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", repeater.port)
        await endpoint.connect(Factory.forProtocol(lambda: client))
        for direction, data in recording.messages:
            to_server = direction is Direction.TO_SERVER
            (client if to_server else servers[0]).transport.write(data)
            while not servers or len((servers[0] if to_server else client).received) < len(data):
                await turn()
            other = servers[0] if to_server else client
            self.assertEqual(bytes(other.received), data, recording.name)
            other.received.clear()
        client.transport.loseConnection()
        servers[0].transport.loseConnection()
        await repeater.shutdown()
        await maybeDeferred(port.stopListening)
        while client.open or servers[0].open:
            await turn()
