"""The report of a replay: for people as text, for machines as JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from .._text import printable, shortened
from .decoding import Shown
from .differences import Difference, Findings, Kind, Part
from .places import marked

__all__ = ["FORMAT", "Report"]

FORMAT = 1
"""The version of the names in JSON. It changes when a name changes its meaning or is taken away."""

LABELS: dict[str, str] = {
    "links": "links played",
    "requests": "requests sent",
    "recorded": "messages recorded",
    "replayed": "messages of the replay",
    "equal": "equal",
    "masked": "equal but for masks",
    "ignored": "not compared",
    "different": "different",
    "missing": "missing",
    "extra": "extra",
    "trouble": "troubles of links",
}
"""How people read the names of counts."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Report:
    """What a replay has found."""

    findings: Findings
    """The counts, and the first differences."""
    dialect: str
    """The name of the dialect."""
    facts: Mapping[str, float | str]
    """What else is known about the replay, by name."""

    @property
    def same(self) -> bool:
        """Whether there is no difference."""
        return not self.findings.counts

    def as_dict(self) -> dict[str, Any]:
        """Return the report as an object for JSON.

        Returns:
            ``format`` (1), ``same`` (whether there is no difference), ``dialect``, ``facts``; ``counts``, by name;
            ``troubles`` and ``notes``, each text with how often it came; and ``differences``, the first ones. ``kind``
            of a difference is ``different``, ``missing``, ``extra`` or ``trouble``. Each of its ``parts`` says
            ``what`` differs, and has ``expected`` and ``came``: ``null``, or an object with ``text``, ``data`` (the
            beginning of the bytes, in base64; ``null`` if they have secrets) and ``size``.
        """
        findings = self.findings
        return {
            "format": FORMAT,
            "same": self.same,
            "dialect": self.dialect,
            "facts": dict(self.facts),
            "counts": self._counts(),
            "troubles": dict(findings.troubles),
            "notes": dict(findings.notes),
            "differences": [_difference(each) for each in findings.differences],
        }

    def _counts(self) -> dict[str, int]:
        findings = self.findings
        return {
            "links": findings.links,
            "requests": findings.requests,
            "recorded": findings.recorded,
            "replayed": findings.replayed,
            "equal": findings.equal,
            "masked": findings.masked,
            "ignored": findings.ignored,
            **{kind.value: findings.counts[kind] for kind in Kind},
            "differences": findings.counts.total(),
        }

    def json(self) -> str:
        """Return the report in JSON, one object. See `as_dict`."""
        return json.dumps(self.as_dict(), ensure_ascii=True, indent=1)

    def text(self) -> str:
        """Return the report for people."""
        findings = self.findings
        total = findings.counts.total()
        lines = ["No differences." if self.same else f"{_many(total, 'difference')}."]
        counts = self._counts()
        lines += [
            f"  {label:<22} {counts[name]:>12,}" for name, label in LABELS.items() if counts[name] or name == "equal"
        ]
        lines += [f"  {name.replace('_', ' '):<22} {_fact(value):>12}" for name, value in self.facts.items()]
        for title, texts in (("Troubles", findings.troubles), ("Notes", findings.notes)):
            if texts:
                lines += ["", f"{title}:"]
                lines += [f"  {text}" + (f" ({count:,} times)" if count > 1 else "") for text, count in texts.items()]
        for number, difference in enumerate(findings.differences, 1):
            lines += ["", *_described(number, difference)]
        if total > len(findings.differences) > 0:
            lines += ["", f"{_many(total - len(findings.differences), 'more difference')}."]
        return "\n".join(lines) + "\n"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def _fact(value: float | str) -> str:
    return printable(value) if isinstance(value, str) else f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"


def _time(time: int | None) -> str | None:
    """Return a time as text, in UTC; ``None`` if it is not known."""
    if time is None:
        return None
    try:
        return (EPOCH + timedelta(microseconds=time)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return None


def _difference(difference: Difference) -> dict[str, Any]:
    request = difference.request
    return {
        "kind": difference.kind.value,
        "link": difference.link,
        "client": difference.client_name,
        "direction": difference.direction,
        "number": difference.number,
        "replayed_number": difference.replayed_number,
        "time": _time(difference.time),
        "request": None if request is None else {"number": request.number, **_shown(request.shown)},
        "message": None if difference.message is None else _shown(difference.message),
        "parts": [
            {
                "what": part.what,
                "expected": None if part.expected is None else _shown(part.expected),
                "came": None if part.came is None else _shown(part.came),
            }
            for part in difference.parts
        ],
        "text": difference.text,
    }


def _shown(shown: Shown) -> dict[str, Any]:
    data = None if shown.data is None else base64.b64encode(shown.data).decode("ascii")
    return {"text": shown.text, "data": data, "size": shown.size}


def _described(number: int, difference: Difference) -> list[str]:
    """Return the lines about a difference."""
    where = f"{number}. link {difference.link}, client {printable(shortened(difference.client_name)) or '-'}"
    place = difference.number if difference.number is not None else difference.replayed_number
    if place is not None:
        where += f", message {place} to the {'server' if difference.direction == 'to_server' else 'client'}"
    time = _time(difference.time)
    lines = [f"{where}{'' if time is None else f', {time}'}: {difference.kind.value}"]
    if difference.text:
        lines.append(f"     {difference.text}")
    if difference.message is not None:
        lines.append(f"     message:  {difference.message.text}")
    if difference.request is not None:
        lines.append(f"     request {difference.request.number}: {difference.request.shown.text}")
    for part in difference.parts:
        lines += _part(part)
    return lines


def _part(part: Part) -> list[str]:
    lines = [f"     {part.what}"] if part.what != "answer" else []
    lines.append(f"     expected: {_text(part.expected)}")
    lines.append(f"     came:     {_text(part.came)}")
    if part.expected is not None and part.came is not None and None not in (part.expected.data, part.came.data):
        lines += [f"     {line}" for line in marked(part.expected.data or b"", part.came.data or b"")]
    return lines


def _text(shown: Shown | None) -> str:
    return "nothing" if shown is None else shown.text
