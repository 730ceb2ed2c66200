"""The live page in a real Chromium, behind a real nginx that speaks TLS."""

from __future__ import annotations

import re
import shutil
import socket
import tempfile
from pathlib import Path

from selenium.webdriver.common.keys import Keys

from ..certificates import Authority
from ..needed import needed
from ..paths import DOCS
from ..programs import LONGEST
from .page_case import SEND, PageCase, Twistd
from .servers import RealServer
from .test_page import TOKEN, port_of, resp, server

DEBIAN_PACKAGES = "chromium chromium-driver nginx-light redis-server"

NGINX = """
daemon off;
pid nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
"""

BELOW = "location /below/ { proxy_pass http://127.0.0.1:8090/; proxy_set_header Host $http_host; }"


def from_the_page() -> str:
    """Return what the page about security says that nginx needs."""
    found = re.search(r"For nginx:\n\n```text\n(.*?)```", (DOCS / "howto" / "secure.md").read_text(), re.S)
    assert found is not None
    return found[1]


class ProxyTests(PageCase):
    """A page that is asked for by the name of a proxy."""

    expected = "401"

    def setUp(self) -> None:
        """Start a repeater with a token, and nginx before its administration."""
        nginx = needed("nginx", "nginx-light")
        super().setUp()
        self.directory = Path(tempfile.mkdtemp(prefix="page-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.token = self.directory / "token"
        self.token.touch(0o600)
        self.token.write_text(TOKEN)
        config = '[repeater.cache]\ndialect = "redis"\nlisten = "tcp:0:interface=127.0.0.1"\n'
        config += f'server = "tcp:127.0.0.1:{server().port}"\n'
        options = ("--admin-token-file", str(self.token), "--admin-host", "edge.example.org")
        self.running = Twistd(config, *options)
        self.addCleanup(self.running.stop)
        issued = Authority(self.directory).issue("edge.example.org")
        said = from_the_page().replace("edge.pem", str(issued.certificate)).replace("edge.key", str(issued.key))
        said = said.replace("    location / {", f"    {BELOW}\n    location / {{")
        said = said.replace("127.0.0.1:8090", f"127.0.0.1:{self.running.port}")

        def command(port: int) -> list[str]:
            file = self.directory / "nginx.conf"
            file.write_text(NGINX + said.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl") + "}\n")
            return [nginx, "-p", str(self.directory), "-e", "stderr", "-c", str(file)]

        self.proxy = RealServer(command)
        self.addCleanup(self.proxy.stop)
        self.base = f"https://edge.example.org:{self.proxy.port}/"

    def log_in(self, base: str) -> None:
        """Open the page, and give the token."""
        self.visit(0, base=base)
        self.fill("#login [type=password]", TOKEN)
        self.press(Keys.ENTER)
        self.until(lambda: self.text("#live") == "live")

    def test_page(self) -> None:
        """Somebody logs in and changes a held message, at the root and below a path; the cookie is for TLS only."""
        for base in (self.base, f"{self.base}below/"):
            self.log_in(base)
            (cookie,) = self.browser.get_cookies()
            self.assertEqual((cookie["secure"], cookie["httpOnly"], cookie["sameSite"]), (True, True, "Strict"))
            self.tab("rules")
            self.fill("#panel-rules [name=text]", "apple")
            self.click("#panel-rules button.main")
            self.said("are held from now on")
            with socket.create_connection(("127.0.0.1", port_of(self.running)), LONGEST / 2) as client:
                client.sendall(resp("ECHO", "apple"))
                self.until(lambda: self.text("#tab-held .badge") == "1")
                self.fill(".edit tr:last-child input", "pear")
                self.press(*SEND)
                self.assertEqual(client.recv(100), b"$4\r\npear\r\n")
            self.until(lambda: "pear" in self.text("#messages-list"))
            self.browser.delete_all_cookies()
        answer = self.script("return fetch('/below/session').then((answer) => answer.status)")
        self.assertEqual(answer, 200)
