"""How a recording is begun."""

from __future__ import annotations

import os
from pathlib import Path

from tests.peers import PeerCase
from tests.recording.test_recorder import RecorderCase as _RecorderCase
from tests.recording.watched import watched
from twisted_repeater import Direction, Send
from twisted_repeater.recording import Origin, RecordingError, open_recording, record


class ArgumentTests(_RecorderCase):
    """Arguments of `record`."""

    def test_wrong(self) -> None:
        """A number that is too small is refused, before there is a file."""
        for options, text in (
            ({"max_size": 1000}, "max_size must be at least 1048576, not 1000"),
            ({"keep": -1}, "keep must be at least 0, not -1"),
            ({"max_waiting": 0}, "max_waiting must be at least 1, not 0"),
            ({"when_slow": "cry"}, "when_slow must be 'leave-out' or 'wait', not 'cry'"),
        ):
            error = self.assertRaises(ValueError, self.start, **options)
            self.assertEqual(str(error), text)


class PlaceTests(_RecorderCase):
    """Where the file is."""

    def test_a_link(self) -> None:
        """A symbolic link is followed: the older files are beside the file, and the link stays."""
        os.mkdir(self.path)
        target, link = os.path.join(self.path, "real.db"), f"{self.path}.link"
        Path(target).touch()
        os.symlink(os.path.abspath(target), link)
        self.path = link
        self.start()
        self.recorder.message_watched(watched(1))
        self.stopped()
        self.assertEqual(self.recorder.path, os.path.realpath(target))
        self.assertTrue(os.path.islink(link))
        with open_recording(target) as recording:
            self.assertEqual(recording.count, 1)

    def test_a_link_to_nothing(self) -> None:
        """No file is made where a symbolic link, perhaps a stranger's, says."""
        os.symlink(os.path.abspath(f"{self.path}.target"), self.path)
        error = self.assertRaises(RecordingError, self.start)
        self.assertIn("not a link to nothing", str(error))
        self.assertFalse(os.path.exists(f"{self.path}.target"))


class RepeaterTests(PeerCase):
    """With a repeater on real sockets."""

    async def test_messages(self) -> None:
        """The file has the opening, each message with its verdict, and what the application sends."""
        world = await self.world(to_server_filter=lambda message, link: Send(message))
        path = self.mktemp()
        recorder = record(world.repeater, path)
        client, peer = await world.linked("ann")
        await world.still_relays(client, peer)
        world.repeater.send_to_all_clients(b"own")
        await client.seen.reach(len(client.seen) + 1)
        client.close()
        await client.lost()
        await world.repeater.shutdown()
        self.assertTrue(recorder.over)
        with open_recording(path) as recording:
            messages = list(recording.messages())
            (link,) = recording.links()
        self.assertEqual((link.client_name, link.server_name), ("ann", "quotes"))
        self.assertEqual({message.origin for message in messages}, set(Origin))
        to_server = [m for m in messages if m.direction is Direction.TO_SERVER and m.origin is Origin.MESSAGE]
        self.assertEqual([message.verdict for message in to_server], ["Send"] * len(to_server))
        self.assertTrue(all(message.forward == message.frame for message in to_server))
