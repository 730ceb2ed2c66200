"""Tests of the store."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from functools import partial

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.fix.store import Entry, Store, StoreError
from twisted_repeater.model import Direction

TO_SERVER, TO_CLIENT = Direction.TO_SERVER, Direction.TO_CLIENT
DROPPED = Entry(TO_SERVER, 5)
ADDED = Entry(TO_CLIENT, 3, True, b"8=FIX\0\1\xff")
CHANGED = Entry(TO_SERVER, 4, content=b"changed")
ALL = 2**60


def contents(store: Store, session: str = "a") -> list[tuple[Direction, int, bytes]]:
    """Return the messages that are kept of a session."""
    return [(flow, *one) for flow in (TO_SERVER, TO_CLIENT) for one in store.contents(session, flow, 0, ALL)]


def known(store: Store, session: str = "a") -> list[object]:
    """Return what is known of a session: runs, how many messages were added, and the highest numbers."""
    saved = store.load(session, partial(store.contents, session))
    both = [saved.flows[flow] for flow in (TO_SERVER, TO_CLIENT)]
    return [[list(flow.runs(0, ALL)) for flow in both], [flow.added for flow in both], list(saved.highest.values())]


NOTHING = [[[], []], [0, 0], [0, 0]]


class StoreTests(SynchronousTestCase):
    """What is written and read again."""

    def setUp(self) -> None:
        self.path = self.mktemp()

    def store(self, **options: int) -> Store:
        """Open the file."""
        made = Store(self.path, **options)
        self.addCleanup(made.close)
        return made

    def test_nothing(self) -> None:
        """Nothing is known of a new session."""
        for store in (self.store(), Store()):
            self.assertEqual(known(store), NOTHING)
            store.close()

    def test_again(self) -> None:
        """What was committed is there when the file is opened again: numbers, and messages in their order."""
        store = self.store()
        store.commit("a", [DROPPED, ADDED, CHANGED], {TO_SERVER: 5})
        store.commit("b", [CHANGED])
        store.commit("a", highest={TO_CLIENT: 9})
        store.close()
        store.close()
        store = self.store()
        self.assertEqual(known(store), [[[(4, 6)], [(3, 4)]], [0, 1], [5, 9]])
        self.assertEqual(known(store, "b"), [[[(4, 5)], []], [0, 0], [0, 0]])
        self.assertEqual(contents(store), [(TO_SERVER, 4, b"changed"), (TO_CLIENT, 3, b"8=FIX\0\1\xff")])
        store.commit("a", [Entry(TO_SERVER, 6)])
        self.assertEqual(known(store)[0], [[(4, 7)], [(3, 4)]])

    def test_mode(self) -> None:
        """The file has orders in it: only its owner can read it. One that was there keeps its mode."""
        self.store().close()
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)
        os.chmod(self.path, 0o640)
        self.store().close()
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o640)

    def test_replaced(self) -> None:
        """A file that is no longer at its path takes nothing more."""
        store = self.store()
        store.commit("a", [DROPPED])
        os.rename(self.path, self.path + ".old")
        self.assertIn("removed or replaced", str(self.assertRaises(StoreError, store.commit, "a", [ADDED])))
        with open(self.path, "wb"):
            pass
        self.assertRaises(StoreError, store.commit, "a", [ADDED])
        os.rename(self.path + ".old", self.path)
        store.commit("a", [ADDED])

    def test_same_number(self) -> None:
        """A message takes the place of an earlier one of the same flow and number."""
        store = self.store()
        store.commit("a", [CHANGED])
        store.commit("a", [Entry(TO_SERVER, 4, content=b"x"), Entry(TO_CLIENT, 4)])
        self.assertEqual(contents(store), [(TO_SERVER, 4, b"x")])
        self.assertEqual(known(store)[0], [[(4, 5)], [(4, 5)]])

    def test_runs(self) -> None:
        """Numbers that follow each other take one row, in whatever order they come, also after a restart."""
        store = self.store()
        numbers = [*range(10, 500), *range(600, 700), 501, 499, 8, 9, 300]
        for number in numbers:
            store.commit("a", [Entry(TO_SERVER, number)])
        store.commit("a", [Entry(TO_SERVER, number, True, b"x") for number in range(700, 900)])
        self.assertEqual(known(store), [[[(8, 500), (501, 502), (600, 900)], []], [200, 0], [0, 0]])
        (rows,) = store._database.execute("SELECT count(*) FROM run").fetchone()
        self.assertLess(rows, 8)

    def test_forget(self) -> None:
        """A flow that begins again is forgotten in the step that writes what is new; the other flow stays."""
        store = self.store()
        store.commit("a", [DROPPED, ADDED], {TO_SERVER: 5, TO_CLIENT: 6})
        store.commit("b", [DROPPED])
        store.commit("a", [CHANGED], forget=[TO_SERVER])
        self.assertEqual(known(store), [[[(4, 5)], [(3, 4)]], [0, 1], [0, 6]])
        store.commit("a", highest={TO_CLIENT: 1}, forget=[TO_CLIENT])
        self.assertEqual(known(store), [[[(4, 5)], []], [0, 0], [0, 1]])
        self.assertEqual(contents(store), [(TO_SERVER, 4, b"changed")])
        self.assertEqual(known(store, "b")[0], [[(5, 6)], []])

    def test_all_or_nothing(self) -> None:
        """A commit that fails changes nothing, and the next one works."""
        store = self.store()
        too_large = Entry(TO_SERVER, 2**70)
        self.assertRaises(OverflowError, store.commit, "a", [DROPPED, too_large], {TO_SERVER: 7})
        self.assertEqual(known(store), NOTHING)
        store.commit("a", [ADDED])
        self.assertEqual(known(store)[0], [[], [(3, 4)]])

    def test_full(self) -> None:
        """Where the disk is full nothing is changed; when there is room again the next commit works."""
        store = self.store()
        store.commit("a", [DROPPED], {TO_SERVER: 5})
        store._database.execute("PRAGMA max_page_count = 1")
        error = self.assertRaises(StoreError, store.commit, "a", [Entry(TO_CLIENT, 1, True, b"x" * 99_999)])
        self.assertIn("disk is full", str(error))
        self.assertEqual(known(store), [[[(5, 6)], []], [0, 0], [5, 0]])
        store._database.execute("PRAGMA max_page_count = 10000")
        store.commit("a", [ADDED])
        self.assertEqual(known(store)[0], [[(5, 6)], [(3, 4)]])

    def test_rolled_back_already(self) -> None:
        """An error after which SQLite itself has undone the step is reported as it is."""
        store = self.store()
        with self.assertRaisesRegex(OSError, "^gone$"), store._transaction():
            store._database.execute("ROLLBACK")
            raise OSError("gone")
        store.commit("a", [ADDED])

    def test_survives_a_kill(self) -> None:
        """What was committed is there after the process was killed in the middle of what came next."""
        program = (
            "import os; from twisted_repeater.model import Direction\n"
            "from twisted_repeater.dialects.fix.store import *\n"
            f"store = Store({self.path!r})\n"
            "store.commit('a', [Entry(Direction.TO_SERVER, 5)], {Direction.TO_SERVER: 5})\n"
            "store._database.execute('BEGIN'); store._database.execute('DELETE FROM run'); os.kill(os.getpid(), 9)"
        )
        self.assertEqual(subprocess.run([sys.executable, "-c", program], check=False).returncode, -9)
        self.assertEqual(known(self.store()), [[[(5, 6)], []], [0, 0], [5, 0]])

    def test_durable(self) -> None:
        """SQLite waits for the disk at each commit."""
        store = self.store()
        self.assertEqual(store._database.execute("PRAGMA synchronous").fetchone(), (2,))
        self.assertEqual(store._database.execute("PRAGMA journal_mode").fetchone(), ("wal",))

    def test_repr(self) -> None:
        """It shows its file."""
        self.assertEqual(repr(Store()), "Store(None)")


class LimitTests(SynchronousTestCase):
    """How much is kept."""

    def test_oldest_contents_go(self) -> None:
        """Above the limit the oldest messages are forgotten; their numbers stay."""
        store = Store(max_content=1000)
        for number in range(1, 11):
            store.commit("a", [Entry(TO_SERVER, number, content=b"x" * 100)])
        store.commit("b", [CHANGED])
        store.commit("a", [Entry(TO_CLIENT, 1, True, b"y" * 100)])
        self.assertEqual(
            [one[:2] for one in contents(store)], [(TO_SERVER, n) for n in range(3, 11)] + [(TO_CLIENT, 1)]
        )
        self.assertEqual(known(store), [[[(1, 11)], [(1, 2)]], [0, 1], [0, 0]])
        self.assertEqual(len(contents(store, "b")), 1)

    def test_too_large(self) -> None:
        """What is above the limit by itself is not kept."""
        store = Store(max_content=10)
        store.commit("a", [Entry(TO_SERVER, 1, content=b"x" * 11)])
        self.assertEqual(contents(store), [])
        self.assertEqual(known(store)[0], [[(1, 2)], []])

    def test_replaced_do_not_count(self) -> None:
        """A message that has taken the place of another counts once, and one of a flow that began again no more."""
        store = Store(max_content=1000)
        for _ in range(30):
            store.commit("a", [Entry(TO_SERVER, 1, content=b"x" * 100)])
        store.commit("a", [Entry(TO_SERVER, 2, content=b"y" * 850)])
        self.assertEqual(len(contents(store)), 2)
        store.commit("a", [Entry(TO_SERVER, 3, content=b"z" * 900)], forget=[TO_SERVER])
        store.commit("a", [Entry(TO_SERVER, 4, content=b"z" * 100)])
        self.assertEqual(len(contents(store)), 2)

    def test_counts_those_in_the_file(self) -> None:
        """What the file had before counts as well."""
        path = self.mktemp()
        store = Store(path)
        store.commit("a", [Entry(TO_SERVER, 1, content=b"x" * 900)])
        store.close()
        store = Store(path, max_content=1000)
        self.addCleanup(store.close)
        store.commit("a", [Entry(TO_SERVER, 2, content=b"x" * 200)])
        self.assertEqual([number for _, number, _ in contents(store)], [2])


class RefusedTests(SynchronousTestCase):
    """Files that cannot be used."""

    def refused(self, path: str, words: str) -> None:
        """Check the error about a file."""
        error = self.assertRaises(StoreError, Store, path)
        self.assertIn(words, str(error))

    def test_one_process(self) -> None:
        """A second process, or a second store of the same one, is refused until the file is closed."""
        path = self.mktemp()
        store = Store(path)
        words = f"the store {path} cannot be used: another process has it"
        self.refused(path, words)
        program = f"from twisted_repeater.dialects.fix.store import *; Store({path!r})"
        ran = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True, check=False)
        self.assertIn(words, ran.stderr)
        store.close()
        Store(path).close()

    def test_other_files(self) -> None:
        """A file of another program, or of another version, is left as it is."""
        text = self.mktemp()
        with open(text, "w") as file:
            file.write("hello, this is a file with some text in it. " * 20)
        self.refused(text, "not a database")
        other = self.mktemp()
        with sqlite3.connect(other) as database:
            database.execute("CREATE TABLE mine (id INTEGER)")
        database.close()
        self.refused(other, f"{other} is a file of another program")
        later = self.mktemp()
        Store(later).close()
        with sqlite3.connect(later) as database:
            database.execute("PRAGMA user_version = 2")
        database.close()
        self.refused(later, f"{later} must have tables of version 1, not 2")

    def test_no_place(self) -> None:
        """A file that cannot be made is refused, with the reason."""
        self.refused(os.path.join(self.mktemp(), "none"), "unable to open database file")

    def test_closed(self) -> None:
        """A store that is closed can no longer be used."""
        store = Store()
        store.close()
        self.assertRaises(StoreError, known, store)
        self.assertRaises(StoreError, contents, store)
        self.assertRaises(StoreError, store.commit, "a", [DROPPED])
