"""Descriptions of dialects and the like: a name, and options in text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Direction
from twisted_repeater.service.descriptions import arguments_of, described, near, options_of, positional_of

if TYPE_CHECKING:
    from decimal import Decimal


def all_kinds(
    positional: str = "",
    /,
    *others: int,
    count: int = 1,
    max_frame: int | None = None,
    rate: float = 1.0,
    exact: bool = False,
    order: Literal["big", "little"] = "big",
    end: bytes = b"",
    name: str = "",
    names: tuple[str, ...] = (),
    sizes: tuple[int, ...] = (),
    mode: object = "production",
    either: int | str | None = None,
    codec: object = None,
    call: Callable[[], float] | None = None,
    **more: int,
) -> None:
    """Take options of every kind."""


def unresolved(*, amount: Decimal | None = None, size: int = 4, any_size=None) -> None:  # type: ignore[no-untyped-def]
    """Have an annotation that cannot be resolved here."""


def required(*, end: bytes, start: bytes = b"") -> None:
    """Need an option."""


def one_option(*, count: int = 0) -> None:
    """Have one option."""


def places(rate: float, burst: int = 1, codec: object = None, late: int = 0, *, extra: int = 0) -> None:
    """Take options by their places."""


class DescriptionTests(SynchronousTestCase):
    """How a description is split."""

    def test_parts(self) -> None:
        """The name may have one colon; options that follow have a name, or the place of one."""
        for text, name, positional, options in [
            ("lines", "lines", (), {}),
            ("", "", (), {}),
            ("length:size=2:order=little", "length", (), {"size": "2", "order": "little"}),
            ("package.module:name", "package.module:name", (), {}),
            ("package.module:name.inner:2:size=2", "package.module:name.inner", ("2",), {"size": "2"}),
            ("lines:end=", "lines", (), {"end": ""}),
            (r"a:b:x\=1:y\:2", "a:b", ("x=1", "y:2"), {}),
        ]:
            self.assertEqual(described(text), (name, positional, options))

    def test_ready(self) -> None:
        """A name that is ready is written with hyphens or underscores, and has options behind it."""
        ready = ("rate-limit", "async_extra", "json")
        for text, name, positional in [
            ("rate_limit:100", "rate-limit", ("100",)),
            ("async-extra", "async_extra", ()),
            ("rate-limit:0.5:x", "rate-limit", ("0.5", "x")),
            ("rate:x", "rate:x", ()),
            ("json:loads:x", "json:loads", ("x",)),  # there is a module of this name
            ("json:1", "json", ("1",)),
            ("json", "json", ()),
        ]:
            self.assertEqual(described(text, ready), (name, positional, {}))

    def test_order(self) -> None:
        """A part without a name behind one with a name is most likely the rest of a value with a colon."""
        error = self.assertRaises(ValueError, described, "lines-refuse:match=^(?:a|b)")
        told = r"an option must be written as name=value, not 'a|b)'; write \: for a colon in a value"
        self.assertEqual(str(error), told)

    def test_near(self) -> None:
        """A name that is not known is often nearly one that is."""
        for name, suggestion in (("dorp", "; did you mean drop?"), ("Rate_Limt", "; did you mean rate-limit?")):
            self.assertEqual(near(name, ("drop", "rate-limit")), suggestion)
        self.assertEqual(near("listn", ("listen",), "--"), "; did you mean --listen?")
        self.assertEqual(near("x", ("drop", "rate-limit")), "")

    @given(st.text(), st.text())
    def test_escapes(self, name: str, value: str) -> None:
        """A value can have any characters, with backslashes before colons and backslashes."""
        written = [part.replace("\\", r"\\").replace(":", r"\:").replace("=", r"\=") for part in (name, value)]
        self.assertEqual(described(f"x:{written[0]}={written[1]}").options, {name: value})

    def test_other_backslashes(self) -> None:
        """A backslash before anything else is one itself, as in a regular expression, also at the end."""
        for written, value in [
            (r"^\d+\b", r"^\d+\b"),
            (r"(?\:a|b)\.", r"(?:a|b)\."),
            (r"\\d", r"\d"),
            (r"a\=b=c", "a=b=c"),
            (r"\\\\", r"\\"),
            ("a\\", "a\\"),
        ]:
            self.assertEqual(described(f"x:match={written}").options, {"match": value})


class ArgumentTests(SynchronousTestCase):
    """How texts become arguments."""

    def read(self, **options: str) -> dict[str, Any]:
        """Return the arguments."""
        return arguments_of(all_kinds, options)

    def assert_wrong(self, message: str, function: Callable[..., object] = all_kinds, **options: str) -> None:
        """These options are refused with this message."""
        self.assertEqual(str(self.assertRaises(ValueError, arguments_of, function, options)), message)

    def test_direction(self) -> None:
        """A direction is written as to-server or to-client; both stands for none."""

        def one(way: Direction | None = None) -> None:
            """Has a direction."""

        for text, way in (("to-server", Direction.TO_SERVER), ("to-client", Direction.TO_CLIENT), ("both", None)):
            self.assertEqual(arguments_of(one, {"way": text}), {"way": way})
        self.assert_wrong("way must be to-server, to-client or both, not 'up'", one, way="up")

    def test_kinds(self) -> None:
        """Each value is read by its type."""
        self.assertEqual(self.read(), {})
        for name, text, value in [
            ("count", "-7", -7),
            ("max-frame", "64KiB", 65536),
            ("rate", "2.5", 2.5),
            ("exact", "yes", True),
            ("exact", "false", False),
            ("exact", "0", False),
            ("order", "little", "little"),
            ("end", "crlf", b"\r\n"),
            ("end", "nul", b"\0"),
            ("end", "1c0D", b"\x1c\r"),
            ("end", "", b""),
            ("name", "7", "7"),
            ("names", "ann", ("ann",)),
            ("names", "DROP TABLE, ALTER", ("DROP TABLE", "ALTER")),
            ("mode", "test", "test"),
        ]:
            self.assertEqual(self.read(**{name: text}), {name.replace("-", "_"): value})

    def test_wrong(self) -> None:
        """A value that cannot be read is told with its option, what was expected, and what was given."""
        self.assert_wrong("count must be a whole number, not '1.5'", count="1.5")
        self.assert_wrong("count must be a whole number, not '\u0661'", count="\u0661")
        size: dict[str, Any] = {"max-frame": "16MB"}
        self.assert_wrong("max-frame must be a size such as 16MiB, 64KiB or 1000, not '16MB'", **size)
        self.assert_wrong("rate must be a number, not 'fast'", rate="fast")
        self.assert_wrong("exact must be yes or no, not 'maybe'", exact="maybe")
        self.assert_wrong("order must be big or little, not 'middle'", order="middle")
        self.assert_wrong("end must be hexadecimal such as 1c0d, or cr, lf, crlf, nul, not '1c0'", end="1c0")

    def test_empty(self) -> None:
        """Several texts must not be none where that would mean the same as without the option: allow all."""

        def rules(*, allow: tuple[str, ...] = (), write: tuple[str, ...] | None = None) -> None: ...

        self.assert_wrong("allow must not be empty; leave the option out", rules, allow="")
        self.assertEqual(arguments_of(rules, {"write": ""}), {"write": ()})

    def test_unknown(self) -> None:
        """An option that is unknown, or for which no text can stand, is told with those that there are."""
        known = "count, max-frame, rate, exact, order, end, name, names, mode"
        for name in ("siz", "sizes", "codec", "call", "either", "positional", "others", "more"):
            options: dict[str, Any] = {name: "1"}
            error = self.assertRaises(ValueError, arguments_of, all_kinds, options)
            self.assertTrue(str(error).startswith(f"there is no option {name!r}; the options are: {known}"), error)
        self.assert_wrong("there is no option 'x'; the options are: none", lambda: None, x="1")

    def test_near_options(self) -> None:
        """An option that is nearly right is suggested, and underscores are right."""
        self.assert_wrong("there is no option 'Cont'; the options are: count; did you mean count?", one_option, Cont="")
        self.assertEqual(self.read(max_frame="1"), {"max_frame": 1})

    def test_places(self) -> None:
        """The options that a function takes first need no name."""
        self.assertEqual(positional_of(places), ["rate", "burst"])
        self.assertEqual(positional_of(all_kinds), [])
        self.assertEqual(arguments_of(places, {"extra": "1"}, ("2.5", "7")), {"rate": 2.5, "burst": 7, "extra": 1})
        for function, options, positional, told in (
            (places, {"rate": "1"}, ("2",), "rate is given twice"),
            (
                places,
                {"max-x": "1", "max_x": "2"},
                ("2",),
                "there is no option 'max-x'; the options are: rate, burst, late, extra",
            ),
            (
                places,
                {},
                ("1", "2", "3"),
                "an option must be written as name=value, not '3' (only rate and burst may stand without a name)",
            ),
            (one_option, {}, ("1",), "an option must be written as name=value, not '1'"),
        ):
            self.assertEqual(str(self.assertRaises(ValueError, arguments_of, function, options, positional)), told)

    def test_missing(self) -> None:
        """An option without a default must be given."""
        self.assert_wrong("end is missing; write end=", required)
        self.assert_wrong("end is missing; write end=", required, start="0b")
        self.assertEqual(arguments_of(required, {"end": "lf"}), {"end": b"\n"})

    def test_types_that_cannot_be_resolved(self) -> None:
        """Where annotations cannot be resolved the defaults say of which types the options are."""
        self.assertEqual(list(options_of(unresolved)), ["size"])
        self.assertEqual(arguments_of(unresolved, {"size": "2"}), {"size": 2})
