"""The dialect ``mqtt`` stands between a real broker and its real clients."""

from __future__ import annotations

from .mqtt_broker import VERSIONS, MqttCase

DEBIAN_PACKAGES = "mosquitto mosquitto-clients"


class ClientTests(MqttCase):
    """Real clients."""

    async def test_delivered(self) -> None:
        """What is published is delivered, in all versions and with every QoS."""
        port = await self.repeat()
        for version in VERSIONS:
            subscriber = await self.subscribe(port, version, "-C", "3", "-F", "got %t %p %q")
            for qos in "012":
                await self.publish(port, version, "news", f"rain {qos}", "-q", qos)
            output = (await self.in_thread(subscriber.end))[1]
            got = [line for line in output.splitlines() if line.startswith("got")]
            self.assertEqual(got, [f"got news rain {qos} {qos}" for qos in "012"])
