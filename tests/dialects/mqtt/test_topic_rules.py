"""Rules about topics, with the names of clients in them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.mqtt.topic_rules import TopicRules


class RuleTests(SynchronousTestCase):
    """Rules."""

    def test_for_all(self) -> None:
        """Without patterns everything is allowed; exceptions are denied."""
        rules = TopicRules(None, ["secret/#"])
        self.assertFalse(rules.names_clients)
        permission = rules.for_client("ann", None)
        self.assertIs(permission, rules.for_client("bob", None))
        self.assertIn("/a", permission)
        self.assertNotIn("secret/a", permission)
        self.assertNotIn("a", TopicRules([], ()).for_client("ann", None))

    def test_names(self) -> None:
        """The id and the user name take the place of their levels, and no other client has them."""
        rules = TopicRules(["/devices/%c/#", "users/%u"], ())
        permission = rules.for_client("ann", "smith")
        for topic, expected in (("/devices/ann/a", True), ("/devices/bob/a", False), ("users/smith", True)):
            self.assertIs(topic in permission, expected, topic)

    def test_bad_names(self) -> None:
        """A name that no level can have, or that is a wildcard, opens nothing that is not allowed."""
        rules = TopicRules(["devices/%c/#", "both/%c/%u"], ())
        for name in (None, "", "+", "#", "a/b"):
            permission = rules.for_client(name, "smith")
            for topic in ("devices/a/b", "devices/+/b", "devices//b", "both/a/smith"):
                self.assertNotIn(topic, permission)

    def test_dollar(self) -> None:
        """An id that begins with $ opens no topics that wildcards leave out: the client has chosen it."""
        rules = TopicRules(["%c/#", "$own/%c", "a/%c"], ())
        permission = rules.for_client("$SYS", None)
        for topic, expected in (("$SYS/uptime", False), ("$own/$SYS", True), ("a/$SYS", True)):
            self.assertIs(topic in permission, expected, topic)
        self.assertNotIn("$SYS/a", TopicRules(None, ["%c/#"]).for_client("$SYS", None))

    def test_bad_names_denied(self) -> None:
        """Nor does it open what is denied."""
        rules = TopicRules(None, ["devices/%c/#"])
        self.assertNotIn("devices/any/a", rules.for_client("a/b", None))
        self.assertIn("devices/any/a", rules.for_client("ann", None))

    def test_filters(self) -> None:
        """A topic filter may stand for some, all or none of the topics."""
        permission = TopicRules(["a/#", "b"], ["a/secret/#"]).for_client(None, None)
        for topic_filter, some, every in (
            ("#", True, False),
            ("a/+", True, False),
            ("a/b/#", True, True),
            ("a/secret/x", False, False),
            ("c/#", False, False),
            ("+", True, False),
        ):
            self.assertIs(permission.has_some(topic_filter), some, topic_filter)
            self.assertIs(permission.has_all(topic_filter), every, topic_filter)
        self.assertTrue(TopicRules(None, ()).for_client(None, None).has_all("#"))

    def test_wrong(self) -> None:
        """One pattern instead of several is an error."""
        self.assertRaises(TypeError, TopicRules, "a", ())
        self.assertRaises(ValueError, TopicRules, ["a#"], ())
