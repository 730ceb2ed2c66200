"""The files of the live page over HTTP, and what may be in them."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.service.admin.page_files import TYPES, page_files

from .asking import AdminCase


class ServingTests(AdminCase):
    """What a browser gets."""

    async def test_page(self) -> None:
        """The page is there without a token, and lets the browser load its own files only."""
        await self.start(token="OpenSesamePlease2026")
        page = await self.ask("GET", "/")
        self.assertEqual((page.status, page.headers["content-type"]), (200, "text/html; charset=utf-8"))
        self.assertIn(b"<title>twisted_repeater</title>", page.body)
        self.assertTrue(page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; "))
        self.assertIn("frame-ancestors 'none'", page.headers["content-security-policy"])
        self.assertEqual(page.headers["x-content-type-options"], "nosniff")
        self.assertEqual(page.headers["cache-control"], "no-cache")

    async def test_tags(self) -> None:
        """A browser that has a file does not get it again."""
        await self.start()
        script = await self.ask("GET", "/page/main.js")
        self.assertEqual((script.status, script.headers["content-type"]), (200, "text/javascript; charset=utf-8"))
        tag = script.headers["etag"]
        for known in (tag, f'"other", W/{tag}'):
            again = await self.ask("GET", "/page/main.js", **{"if-none-match": known})
            self.assertEqual((again.status, again.body, again.headers["etag"]), (304, b"", tag))
        for other in ('"other"', "\xff"):
            self.assertEqual((await self.ask("GET", "/page/main.js", **{"if-none-match": other})).status, 200)

    async def test_other_files(self) -> None:
        """No other file can be had."""
        await self.start()
        for name in ("none.js", "..%2Fpage_files.py", "%2Fetc%2Fpasswd"):
            self.assertIn("no such file", await self.fails(404, "GET", f"/page/{name}"))


def luminance(colour: str) -> float:
    """Return how bright a colour is, as the Web Content Accessibility Guidelines define it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: float, other: float) -> float:
    """Return the contrast of two colours of these luminances."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


class SourceTests(SynchronousTestCase):
    """What the files of the page may do."""

    def test_contrast(self) -> None:
        """Each text differs enough from what is behind it, in light and in dark, and so does each edge of a field."""
        texts = ("text", "quiet", "accent", "to-server", "to-client", "good", "warn", "bad")
        on_colours = {("accent-text", "accent"), ("warn", "warn-back"), ("text", "warn-back"), ("bad", "bad-back")}
        on_colours |= {("panel", "warn"), ("panel", "bad"), ("text", "line")}
        for scheme in page_files()["colors.css"].content.decode().split("@media"):
            colours = {name: luminance(colour) for name, colour in re.findall(r"--([\w-]+): #(\w{6});", scheme)}
            for text, back in on_colours | {(text, back) for text in texts for back in ("panel", "inset", "chosen")}:
                self.assertGreater(contrast(colours[text], colours[back]), 4.5, f"{text} on {back}")
            for back in ("panel", "inset"):
                self.assertGreater(contrast(colours["edge"], colours[back]), 3, f"edge on {back}")

    def test_nothing_parses_html(self) -> None:
        """No script makes HTML or code out of text, and no page has a script or a style in it."""
        for name, file in page_files().items():
            source = file.content.decode()
            self.assertNotRegex(
                source, r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", name
            )
            self.assertNotRegex(source, r"(?i)<style|\sstyle=|<script(?![^>]*\ssrc=)|\son[a-z]+=\"|javascript:", name)

    def test_nothing_from_outside(self) -> None:
        """No file of the page needs anything from elsewhere."""
        for name, file in page_files().items():
            found = set(re.findall(r"(?:https?:)?//[\w.-]+\.[a-z]+[^\s\"']*", file.content.decode()))
            self.assertEqual(found - {"http://www.w3.org/2000/svg"}, set(), name)

    def test_all_there(self) -> None:
        """Each file that a script or the page names is there, and each has a type."""
        files = page_files()
        for name, file in files.items():
            source = file.content.decode()
            named = re.findall(r"from \"\./([\w.]+)\"", source) + re.findall(r"\"page/([\w.]+)\"", source)
            self.assertLessEqual(set(named), set(files), name)
        self.assertEqual({name.rpartition(".")[2] for name in files}, set(TYPES))
