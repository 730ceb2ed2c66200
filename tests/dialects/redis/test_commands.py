"""`Commands`. That it refuses in its turn, between real programs, is tested in ``tests/real``."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.redis import Command, Commands, Raw, Reply, redis
from twisted_repeater.dialects.redis.commands import MOST_NAMES, _Refusing
from twisted_repeater.testing import FilterHarness


def command(text: str) -> Command:
    """Return a command that is written as in redis-cli."""
    name, *arguments = text.split(" ")
    return Command(name, *arguments)


PATTERNS = st.sampled_from(
    ["GET", "get", "CONFIG", "CONFIG SET", "CONFIG *", "G*", "*", "AUTH", "AUTH x", "[G]ET", "SET"]
)
COMMANDS = st.builds(
    Command,
    st.sampled_from(["GET", "get", "CONFIG", "AUTH", "SET", "G*", "QUIT"]),
    st.sampled_from(["set", "SET", "GET", "x"]),
) | st.builds(Command, st.sampled_from(["GET", "CONFIG", "HELLO"]))


class RulesCase(SynchronousTestCase):
    """A test case for rules."""

    def assert_refuses(self, rules: Commands, refused: dict[str, str], passed: tuple[str, ...] = ()) -> None:
        """Commands are refused, for a reason that has this text; others pass. Each is asked about twice."""
        for text, why in refused.items():
            for _ in range(2):
                self.assertIn(why, str(rules.refusal(command(text))), text)
        for text in passed:
            for _ in range(2):
                self.assertIsNone(rules.refusal(command(text)), text)


class NamesTests(RulesCase):
    """Commands that are allowed or refused by their names."""

    def test_refused(self) -> None:
        """What is refused is so in whatever case, with all that begins with it; all else passes."""
        self.assert_refuses(
            Commands(refuse=("flushall", "CONFIG")),
            {
                "FLUSHALL": "the command 'FLUSHALL' is not allowed",
                "flushall ASYNC": "the command 'FLUSHALL' is not allowed",
                "CONFIG get x": "the command 'CONFIG GET' is not allowed",
                "CONFIG": "the command 'CONFIG' is not allowed",
            },
            ("FLUSHDB", "GET flushall", "PING"),
        )

    def test_first_argument(self) -> None:
        """A pattern with the first argument leaves commands with others alone."""
        self.assert_refuses(
            Commands(refuse=("CONFIG SET", "SELECT 1?")),
            {"CONFIG Set x y": "'CONFIG SET'", "SELECT 12": "'SELECT'"},
            ("CONFIG GET x", "CONFIG", "SELECT 1", "SET CONFIG SET"),
        )

    def test_patterns(self) -> None:
        """A star in a pattern stands for any text."""
        self.assert_refuses(
            Commands(refuse=("FLUSH*", "CLIENT K*", "J[^X]*.*")),
            {"FLUSHDB": "", "FLUSHALL": "", "CLIENT KILL x": "", "JSON.GET a": ""},
            ("CLIENT ID", "JXON.GET a", "FLUS"),
        )

    def test_allowed(self) -> None:
        """If some commands are allowed, others are refused, but not those with which a connection begins and ends."""
        self.assert_refuses(
            Commands(allow=("GET", "CLIENT SETNAME")),
            {"SET a b": "", "CLIENT KILL x": "", "CLIENT": "", "MULTI": ""},
            ("GET a", "CLIENT SETNAME x", "AUTH x", "HELLO 3", "QUIT", "RESET"),
        )

    def test_both(self) -> None:
        """What is refused stays so if another pattern allows it, and whatever it is."""
        rules = Commands(allow=("*",), refuse=("AUTH", "CONFIG *"))
        self.assert_refuses(rules, {"AUTH x": "", "CONFIG GET a": ""}, ("SET a b", "CONFIG"))
        self.assert_refuses(Commands(allow=("CONFIG *",), refuse=("CONFIG",)), {"CONFIG GET a": "", "GET a": ""})

    def test_many_names(self) -> None:
        """Names that strangers make up are not all remembered, and refused all the same."""
        rules = Commands(allow=("GET",))
        for number in range(MOST_NAMES + 10):
            self.assertIsNotNone(rules.refusal(Command(f"X{number}")))
        self.assertEqual(len(rules._decided), MOST_NAMES)
        self.assert_refuses(rules, {"SET a b": ""}, ("GET a",))

    def test_shown(self) -> None:
        """A refusal shows a name that is printable and short."""
        why = Commands(allow=("GET",)).refusal(Command("\udcff\r\n" + "X" * 100))
        self.assertEqual(why, "the command '\\udcff\\r\\n" + "X" * 61 + "... (103 characters)' is not allowed")

    def test_wrong(self) -> None:
        """What is no list of patterns is an error that says so."""
        wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
            ({"refuse": "FLUSHALL"}, TypeError, r"refuse takes several patterns: write \('FLUSHALL',\)"),
            ({"keys": b"a"}, TypeError, "keys takes several patterns"),
            (
                {"allow": ("CONFIG GET x",)},
                ValueError,
                "allow takes commands such as GET or CONFIG SET, not 'CONFIG GET",
            ),
            ({"refuse": ("",)}, ValueError, "refuse takes commands"),
            ({"keys": ("a[",)}, ValueError, "without its ]"),
            ({"trust": ("EVAL",)}, ValueError, "Commands needs something"),
        ]
        for options, error, text in wrong:
            with self.assertRaisesRegex(error, text):
                Commands(**options)


class SelectorTests(RulesCase):
    """What is chosen by its bytes, to be decoded and looked at."""

    def test_names(self) -> None:
        """Plain names are chosen by their bytes; with other patterns, keys or channels, all commands are looked at."""
        self.assertEqual(repr(Commands(refuse=("get", "CONFIG SET")).selector), "by_name(['CONFIG', 'GET'])")
        self.assertEqual(
            repr(Commands(refuse=("AUTH", "HELLO"), allow=("GET", "SET 1", "H*")).selector),
            "by_name(['GET', 'QUIT', 'RESET'], others=True)",
        )
        for rules in (Commands(refuse=("FLUSH*",)), Commands(keys=("a",)), Commands(channels=("a",))):
            self.assertIsNone(rules.selector)

    @given(st.lists(PATTERNS, max_size=3), st.lists(PATTERNS, max_size=3), COMMANDS)
    def test_none_is_missed(self, allow: list[str], refuse: list[str], command: Command) -> None:
        """Whatever is refused is chosen."""
        assume(allow or refuse)
        rules = Commands(allow=tuple(allow), refuse=tuple(refuse))
        frame = bytes(command)
        chosen = rules.selector is None or rules.selector.matches(frame, 0, len(frame))
        self.assertTrue(chosen or rules.refusal(command) is None)


class KeysTests(RulesCase):
    """Commands whose keys must be allowed."""

    def test_keys(self) -> None:
        """Each key that a command names must be allowed."""
        self.assert_refuses(
            Commands(keys=("app:*", "shared")),
            {
                "GET other": "the key 'other' is not allowed",
                "MGET app:1 other shared": "the key 'other' is not allowed",
                "RENAME app:1 x": "the key 'x' is not allowed",
                "ZUNIONSTORE app:1 2 app:2 x": "the key 'x' is not allowed",
                "SORT app:1 STORE x": "the key 'x' is not allowed",
                "OBJECT ENCODING x": "the key 'x' is not allowed",
            },
            ("GET app:1", "GET shared", "MGET app:1 shared", "PING", "MULTI", "CONFIG GET x", "XREAD STREAMS app:1 $"),
        )

    def test_other_keys(self) -> None:
        """What may touch keys that it does not name is refused, unless it is trusted; keys that it names never are."""
        others = {
            "SCAN 0": "'SCAN' may touch keys that are not allowed",
            "FLUSHALL": "'FLUSHALL' may touch keys",
            "CONFIG SET a b": "'CONFIG SET' may touch keys",
            "EVAL x 1 app:1": "'EVAL' may touch keys",
            "SORT app:1 BY w_*": "'SORT' may touch keys",
            "CLIENT TRACKING ON BCAST": "'CLIENT TRACKING' may touch keys",
            "JSON.GET app:1": "'JSON.GET' may touch keys",
            "LMPOP x app:1 LEFT": "the keys of 'LMPOP' are not where they should be",
        }
        self.assert_refuses(Commands(keys=("app:*",)), others)
        trusting = Commands(keys=("app:*",), trust=("EVAL", "JSON.*", "LMPOP"))
        refused = {"EVAL x 2 app:1 x": "the key 'x'", "LMPOP x app:1 LEFT": "the keys of", "SCAN 0": ""}
        self.assert_refuses(trusting, refused, ("EVAL x 1 app:1", "EVAL x 0", "JSON.GET any"))

    def test_shown(self) -> None:
        """A refusal shows a key that is printable and short."""
        why = Commands(keys=("a",)).refusal(Command("GET", b"\xff\r\n" + b"x" * 100_000))
        self.assertEqual(why, "the key '\\xff\\r\\n" + "x" * 58 + "... (100006 characters)' is not allowed")

    def test_bytes(self) -> None:
        """Keys are bytes: patterns match those that are not text, and line breaks."""
        rules = Commands(keys=("é:*",))
        self.assertIsNone(rules.refusal(Command("GET", "é:\n".encode() + b"\xff")))
        self.assertIsNotNone(rules.refusal(Command("GET", b"\xe9:")))


class ChannelsTests(RulesCase):
    """Commands whose channels must be allowed."""

    def test_channels(self) -> None:
        """Each channel must be allowed; a pattern of channels must be one of those allowed, letter by letter."""
        self.assert_refuses(
            Commands(channels=("news.*",)),
            {
                "SUBSCRIBE news.a x": "the channel 'x' is not allowed",
                "PUBLISH x text": "the channel 'x' is not allowed",
                "PSUBSCRIBE news.a*": "the pattern 'news.a*' is not allowed",
                "PUBSUB CHANNELS": "'PUBSUB CHANNELS' may touch channels that are not allowed",
                "EVAL x 0": "'EVAL' may touch channels",
            },
            ("SUBSCRIBE news.a", "SPUBLISH news.a x", "PSUBSCRIBE news.*", "UNSUBSCRIBE x", "GET any", "PUBSUB NUMPAT"),
        )
        self.assertIsNone(Commands(channels=("a",), trust=("EVAL",)).refusal(Command("EVAL", "x", 0)))

    def test_all_channels(self) -> None:
        """A star alone allows all channels, and all patterns of channels."""
        self.assert_refuses(Commands(channels=("*",)), {}, ("SUBSCRIBE a", "PSUBSCRIBE a*", "PUBSUB CHANNELS"))


class FilterTests(SynchronousTestCase):
    """The pair of filters."""

    def test_in_a_link(self) -> None:
        """A refused command is replaced by a mark; others pass as they came, and so do empty lines."""
        run = FilterHarness(filters=Commands(keys=("a",)), dialect=redis())
        seen = run.client_sends(Command("GET", "b"), Command("GET", "a"), Raw(b"\r\n")).to_server
        self.assertEqual(seen[1:], [Command("GET", "a"), Raw(b"\r\n")])
        error = Reply.failure(f"ERR unknown command '{seen[0].name}'")
        run.server_sends(error).expect(to_client=[Reply.failure("NOPERM the key 'b' is not allowed")])

    def test_other_dialects(self) -> None:
        """Messages of other dialects are an error at the start."""
        with self.assertRaisesRegex(TypeError, "Commands is for the dialect redis"):
            _Refusing(Commands(refuse=("GET",))).selector_for(None)
