"""The table of keys. That it agrees with a real Redis is tested in ``tests/real``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.redis.keys import FACTS, Channels, Keys, channels_of, full_name, keys_of

UNKNOWN = Keys(others=True)


def keys(text: str) -> Keys | None:
    """Return the keys of a command that is written as in redis-cli."""
    name, *arguments = text.split(" ")
    return keys_of(name, tuple(word.encode() for word in arguments))


def named(*words: str, others: bool = False) -> Keys:
    """Return keys."""
    return Keys(tuple(word.encode() for word in words), others)


class KeysTests(SynchronousTestCase):
    """`keys_of`."""

    def assert_keys(self, **commands: str) -> None:
        """Commands name these keys, and touch no others."""
        for text, expected in commands.items():
            self.assertEqual(keys(text), named(*expected.split()), text)

    def test_places(self) -> None:
        """Keys are found where each command has them."""
        self.assert_keys(
            **{
                "PING": "",
                "GET a": "a",
                "SET a b": "a",
                "GET": "",
                "RENAME a b": "a b",
                "DEL a b c": "a b c",
                "BLPOP a b 0": "a b",
                "MSET a 1 b 2": "a b",
                "BITOP AND a b c": "a b c",
                "PFDEBUG GETREG a": "a",
                "MIGRATE host 6379 a 0 10": "a",
            }
        )

    def test_inside(self) -> None:
        """Commands inside of others are found in whatever case; what is missing there may touch anything."""
        self.assert_keys(**{"MEMORY USAGE a": "a", "XINFO stream a": "a", "CONFIG GET x": "", "CLIENT Id": ""})
        for text in ("CONFIG SET a b", "XINFO NEW a", "CLUSTER GETKEYSINSLOT 1 2", "OBJECT"):
            self.assertEqual(keys(text), UNKNOWN, text)
        self.assertEqual(full_name("CONFIG", (b"set", b"x")), "CONFIG SET")
        self.assertEqual(full_name("CONFIG", ()), "CONFIG")
        self.assertEqual(full_name("GET", (b"x",)), "GET")

    def test_numbers_of_keys(self) -> None:
        """Keys that are counted are found; a number that is none leaves them open."""
        self.assert_keys(
            **{
                "LMPOP 2 a b LEFT": "a b",
                "BLMPOP 0 2 a b LEFT": "a b",
                "ZUNION 1 a WEIGHTS 2": "a",
                "ZUNIONSTORE to 2 a b": "to a b",
                "MSETEX 2 a 1 b 2 EX 5": "a b",
                "LMPOP 9 a b": "a b",
                "SINTERCARD 0": "",
            }
        )
        for number in ("x", "-1", "+1", "", "1" * 10):
            self.assertIsNone(keys(f"LMPOP {number} a LEFT"), number)
        self.assertIsNone(keys("LMPOP"))

    def test_scripts(self) -> None:
        """A script may touch others than the keys that it names."""
        self.assertEqual(keys("EVAL return 2 a b x"), named("a", "b", others=True))
        self.assertEqual(keys("FCALL f 0 x"), UNKNOWN)
        self.assertIsNone(keys("EVAL return"))

    def test_options(self) -> None:
        """Each word after an option that has a key counts, even where it is the value of something else."""
        self.assert_keys(
            **{
                "GEORADIUS a 1 2 3 km": "a",
                "GEORADIUS a 1 2 3 km ASC store b STOREDIST c": "a b c",
                "GEORADIUSBYMEMBER a STORE 3 km STOREDIST b": "a b",
                "GEORADIUSBYMEMBER a m 3 km STORE STORE b": "a STORE b",
            }
        )

    def test_sort(self) -> None:
        """SORT touches other keys if it looks up values by a pattern."""
        self.assert_keys(
            **{
                "SORT a": "a",
                "SORT_RO a LIMIT 0 1": "a",
                "SORT a BY nosort get # ASC STORE b": "a b",
            }
        )
        self.assertEqual(keys("SORT a BY w_*"), named("a", others=True))
        self.assertEqual(keys("SORT a GET # GET x"), named("a", others=True))

    def test_streams(self) -> None:
        """The keys of streams are the first half of what follows STREAMS, wherever else that word may stand."""
        self.assert_keys(
            **{
                "XREAD STREAMS a b 0 0": "a b",
                "XREAD COUNT 2 block 0 streams a $": "a",
                "XREADGROUP GROUP STREAMS c COUNT 1 NOACK STREAMS a >": "a",
                "XREADGROUP COUNT 1 GROUP STREAMS c STREAMS a >": "a",
                "XREAD STREAMS STREAMS 0": "STREAMS",
                "XREAD STREAMS a b 0": "a b",
            }
        )
        for text in ("XREAD", "XREAD a", "XREAD COUNT STREAMS", "XREAD NEW STREAMS a 0", "XREAD GROUP g c STREAMS a 0"):
            self.assertIsNone(keys(text), text)

    def test_migrate(self) -> None:
        """MIGRATE has one key, or an empty one and a list of keys."""
        self.assertEqual(keys("MIGRATE host 1  0 10 AUTH KEYS KEYS a b"), named("KEYS", "a", "b"))
        self.assertEqual(keys("MIGRATE host 1 x 0 10 COPY KEYS a b"), named("x", "a", "b"))
        self.assertEqual(keys("MIGRATE host 1  0 10"), Keys((b"",)))

    def test_tracking(self) -> None:
        """A client that is told of all keys touches others; one that is told of what it has read does not."""
        self.assertEqual(keys("CLIENT TRACKING on"), Keys())
        self.assertEqual(keys("CLIENT TRACKING on bcast PREFIX a"), UNKNOWN)

    def test_unknown(self) -> None:
        """A command that is not in the table may touch any key, and so may those that look at all."""
        for text in (
            "JSON.GET a",
            "SCAN 0",
            "KEYS *",
            "FLUSHALL",
            "SWAPDB 0 1",
            "MONITOR",
            "RANDOMKEY",
            "DEBUG OBJECT a",
        ):
            self.assertEqual(keys(text), UNKNOWN, text)

    def test_table(self) -> None:
        """Names are in upper case, as messages have them."""
        self.assertEqual([name for name in FACTS if name != name.upper()], [])


class ChannelsTests(SynchronousTestCase):
    """`channels_of`."""

    def test_channels(self) -> None:
        """Channels and patterns are found where each command has them."""
        for text, expected in {
            "SUBSCRIBE a b": Channels((b"a", b"b")),
            "PUBLISH a text": Channels((b"a",)),
            "PUBSUB numsub a b": Channels((b"a", b"b")),
            "PSUBSCRIBE a* b": Channels(patterns=(b"a*", b"b")),
            "PUBSUB CHANNELS a*": Channels(others=True),
            "EVAL x 0": Channels(others=True),
            "UNSUBSCRIBE a": Channels(),
            "GET a": Channels(),
        }.items():
            name, *arguments = text.split(" ")
            self.assertEqual(channels_of(name, tuple(word.encode() for word in arguments)), expected, text)
