"""SQL is split as the server splits it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.postgres.sql import Statement, Token, is_readable, readings, target_of_copy


def split(sql: str) -> list[list[str]]:
    """Return the texts of the statements of each reading."""
    return [[statement.sql for statement in reading] for reading in readings(sql)]


def commands(sql: str) -> tuple[tuple[str, ...], ...]:
    """Return the commands of the only statement."""
    return readings(sql)[0][0].commands


class SplitTests(SynchronousTestCase):
    """A text is split at the semicolons that the server sees."""

    def test_one_reading(self) -> None:
        """Quotes, comments and parentheses hide semicolons."""
        for sql, expected in (
            ("", []),
            (" ; -- x\n;", []),
            ("  SELECT 1 ;", ["SELECT 1"]),
            ("a; b/* /* ; */ ; */;c", ["a", "b", "c"]),
            ("a /* ; never", ["a"]),
            ("$a$ ; $a$; $$;$$ ;drop", ["$a$ ; $a$", "$$;$$", "drop"]),
            ("a$b$c; d $b$", ["a$b$c", "d $b$"]),
            ("';'';'; \";\"\";\"; U&';'; N';'; X';'; $1", ["';'';'", '";"";"', "U&';'", "N';'", "X';'", "$1"]),
            ("CREATE RULE a AS ON INSERT TO b DO (x; y); z)", ["CREATE RULE a AS ON INSERT TO b DO (x; y)", "z)"]),
            ("a; 'open; b", ["a", "'open; b"]),
            ('a; "open; b', ["a", '"open; b']),
            ("a; $x$open; b", ["a", "$x$open; b"]),
            ("1.5e3; 2e; E'\\''\n'\\'; '; x", ["1.5e3", "2e", "E'\\''\n'\\'; '", "x"]),
        ):
            self.assertEqual(split(sql), [expected], sql)

    def test_two_readings(self) -> None:
        """A backslash in an ordinary string may be an escape or not."""
        self.assertEqual(split("'a\\'; b; --'"), [["'a\\'", "b"], ["'a\\'; b; --'"]])

    @given(st.text("aE'\"\\$;-/*()\n 1&U"))
    def test_any_text(self, sql: str) -> None:
        """Any text can be split, and each statement is where it says."""
        for reading in readings(sql):
            for statement in reading:
                self.assertTrue(sql.startswith(statement.sql, statement.start))
                self.assertTrue(statement.tokens)
                self.assertIsInstance(statement.commands[0], tuple)


class CommandTests(SynchronousTestCase):
    """A statement shows the commands in it."""

    def test_words(self) -> None:
        """The first words are in capitals, whatever is between them."""
        for sql in ("drop table x", "DROP/**/Table x", "drop -- y\n table x", "((drop table x"):
            statement = readings(sql)[0][0]
            self.assertEqual([statement.words, statement.commands[0]], [("DROP", "TABLE", "X")] * 2)
        self.assertEqual(commands("'x'"), ((),))
        self.assertEqual(commands("DROPé a"), (("DROPé", "A"),))

    def test_contained(self) -> None:
        """Commands in others are found; words of clauses are not commands."""
        for sql, found in (
            ("EXPLAIN (ANALYZE, COSTS off) CREATE TABLE x AS y", ("CREATE", "TABLE", "X", "AS", "Y")),
            ("EXPLAIN ANALYZE VERBOSE ((VALUES (1)))", ("VALUES",)),
            ("EXPLAIN (open", ()),
            ("WITH a AS (DELETE FROM b) SELECT", ("DELETE", "FROM", "B")),
        ):
            self.assertEqual(commands(sql)[1], found)
        for sql in ("SELECT 1 FOR UPDATE", "GRANT DELETE ON a", "SELECT a.update", "ALTER TABLE a ON DELETE b"):
            self.assertEqual(len(commands(sql)), 1, sql)
        self.assertTrue(Statement("WITH a AS (DELETE FROM b) TABLE a").begins_with(("DELETE",)))

    def test_texts(self) -> None:
        """Statements and tokens can be shown."""
        self.assertEqual(repr(Statement("x")), "Statement('x')")
        self.assertEqual([Token("word", "é", 0).word, Token("string", "''", 0).word], ["é", ""])

    def test_copy(self) -> None:
        """The target of a COPY is found outside of parentheses."""
        for sql, target in (
            ("COPY (SELECT 1 TO x) TO STDOUT", "STDOUT"),
            ("COPY a TO 'b'", "?"),
            ("COPY a FROM STDIN", ""),
        ):
            self.assertEqual(target_of_copy(Statement(sql)), target)

    def test_encodings(self) -> None:
        """A backslash after a letter that is not ASCII cannot be read in some encodings, or in one unknown."""
        for encoding, readable in (("UTF8", True), ("SJIS", False), (None, False)):
            self.assertEqual(is_readable("E'é\\''", encoding), readable)
        self.assertTrue(is_readable("E'e\\''", "SJIS"))
