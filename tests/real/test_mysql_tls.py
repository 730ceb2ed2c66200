"""MariaDB and its clients, with the example ``mysql_tls`` between them, in TLS on both sides."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import Any

import pymysql

from ..needed import needed
from ..programs import ProgramCase
from ..real_sockets import TLSSockets
from .test_mysql import CIPHER, REFUSED, as_root, mariadb


class TLSTests(ProgramCase):
    """The example ``mysql_tls``: TLS with the client, and with the server."""

    def setUp(self) -> None:
        """Start the server, make a certificate for the repeater, and start it as the example says."""
        self.server = mariadb()
        super().setUp()
        self.own = TLSSockets(str(self.path("tls")))
        self.path("repeater.pem").write_bytes(self.own.key.read_bytes() + self.own.certificate.read_bytes())
        shutil.copy(as_root(self.server, "SELECT @@ssl_cert").strip(), self.path("trusted.pem"))
        repeater = self.run_twistd(
            *["repeater", "--dialect=mysql_tls:mysql_over_tls:host=localhost"],
            *["--to-server-filter=mysql_dialect:guard", "--listen=tcp:0:interface=127.0.0.1"],
            f"--server=tcp:127.0.0.1:{self.server.port}",
        )
        self.port = int(repeater.wait_for(r"accepting clients at .*?(\d+)$")[1])

    def connect(self, **options: Any) -> Any:
        """Return a connection of PyMySQL."""
        return pymysql.connect(host="localhost", port=self.port, user="ann", password="secret", database="d", **options)

    def test_both(self) -> None:
        """A client that checks the repeater's certificate is in TLS with it, and it with the server; filters work."""
        with closing(self.connect(ssl={"ca": str(self.own.certificate)})) as client, client.cursor() as cursor:
            cursor.execute(CIPHER)
            self.assertIn("TLS", cursor.fetchone()[1])
            with self.assertRaisesRegex(pymysql.OperationalError, REFUSED):
                cursor.execute("DROP TABLE kept")
            cursor.execute("SELECT * FROM kept")
            self.assertEqual(cursor.fetchall(), ((1, "one"),))

    def test_command_line(self) -> None:
        """So is the client of the command line."""
        ask = ["--protocol=tcp", "--host=localhost", f"--port={self.port}", "--user=ann", "--password=secret"]
        verify = [f"--ssl-ca={self.own.certificate}", "--ssl-verify-server-cert", f"--execute={CIPHER}"]
        client = self.run_program(needed("mariadb", "mariadb-client"), "--no-defaults", *ask, *verify)
        status, output = client.end()
        self.assertEqual((status, "TLS" in output), (0, True), output)

    def test_neither(self) -> None:
        """A client without TLS is linked without it."""
        with closing(self.connect(ssl_disabled=True)) as client, client.cursor() as cursor:
            cursor.execute(CIPHER)
            self.assertEqual(cursor.fetchone()[1], "")

    def test_wrong_certificate(self) -> None:
        """A client that trusts another certificate is not linked."""
        with self.assertRaisesRegex(pymysql.OperationalError, "certificate"):
            self.connect(ssl={"ca": str(self.path("trusted.pem"))})
