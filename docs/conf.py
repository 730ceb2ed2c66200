"""How Sphinx builds the docs: ``sphinx-build -W docs docs/_build/html``."""

from __future__ import annotations

import builtins
import re
import runpy
import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from sphinx.addnodes import pending_xref
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.nodes import make_refnode

# The reference shows signatures, which compiled functions do not have. So the build imports the sources.
runpy.run_path(str(Path(__file__).parents[1] / "tests" / "interpreted" / "sitecustomize.py"))

project = "twisted_repeater"
author = "the twisted_repeater developers"
copyright = "2026, the twisted_repeater developers"  # noqa: A001
release = version = version_of("twisted_repeater")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinxcontrib.zopeext.autointerface",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"twisted_repeater {release}"
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_type_aliases = {name: f"twisted_repeater.{name}" for name in ("Answer", "Filter")}
maximum_signature_line_length = 90
toc_object_entries_show_parents = "hide"
default_role = "py:obj"

napoleon_numpy_docstring = False
napoleon_use_rtype = False


def answers(url: str) -> bool:
    """Return whether a site has an index of names: without a network the build leaves links to other projects out."""
    try:
        with urlopen(f"{url}objects.inv", timeout=5):
            return True
    except OSError:
        return False


OTHER_PROJECTS = {
    "python": "https://docs.python.org/3/",
    "twisted": "https://docs.twisted.org/en/stable/api/",
    "zope.interface": "https://zopeinterface.readthedocs.io/en/latest/",
}
intersphinx_mapping = {name: (url, None) for name, url in OTHER_PROJECTS.items() if answers(url)}

TWISTED = {
    "Clock": "twisted.internet.task.Clock",
    "Deferred": "twisted.internet.defer.Deferred",
    "Failure": "twisted.python.failure.Failure",
    "HostnameEndpoint": "twisted.internet.endpoints.HostnameEndpoint",
    "IService": "twisted.application.service.IService",
    "TCPTimedOutError": "twisted.internet.error.TCPTimedOutError",
} | {
    name: f"twisted.internet.interfaces.{name}"
    for name in (
        "IAddress",
        "IListeningPort",
        "IProtocol",
        "IReactorTime",
        "IStreamClientEndpoint",
        "IStreamServerEndpoint",
        "ITransport",
    )
}
"""Twisted's names that docstrings give without their module."""

MADE_ELSEWHERE = {
    "twisted_repeater.Link": "by the repeater",
    "twisted_repeater.Repeater": "by `Repeater.create`",
    "twisted_repeater.testing.Entry": "by the kit",
    "twisted_repeater.testing.Outcome": "by the kit",
    "twisted_repeater.testing.Peer": "by the kit",
    "twisted_repeater.testing.ScriptedServer": "by the kit",
    "twisted_repeater.testing.SocketRepeater": "by `SocketRepeater.start`",
}
"""Classes whose constructor is not for users, and how their instances come to be."""


def doc_for_sphinx(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Find the docstrings of data."""
    if what == "data":
        lines[:] = doc_of_data(name.rpartition(".")[2], obj) or lines


def doc_of_data(name: str, value: object) -> list[str]:
    """Return the docstring below an assignment, wherever in the package it stands; empty if there is none."""
    for module_name, module in sorted(sys.modules.items()):
        if module_name.startswith("twisted_repeater") and getattr(module, name, None) is value:
            doc = ModuleAnalyzer.for_module(module_name).find_attr_docs().get(("", name))
            if doc:
                return list(doc)
    return []


def plain_signature(
    app: Any, what: str, name: str, obj: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None] | None:
    """Write interfaces and aliases in signatures by their names, and leave out constructors that are not for users."""
    if name in MADE_ELSEWHERE:
        return ("", None)

    def plain(text: str | None) -> str | None:
        return text and re.sub(r"<InterfaceClass ([\w.]+)>|TypeAliasForwardRef\('([\w.]+)'\)", r"~\1\2", text)

    return (plain(signature), plain(returns))


def name_of_twisted(app: Any, env: Any, node: Any, contnode: Any) -> None:
    """Complete a name of Twisted's, for intersphinx to find."""
    target = node.get("reftarget", "")
    node["reftarget"] = TWISTED.get(target.removeprefix("twisted_repeater."), target)


def find_short_name(app: Any, env: Any, node: Any, contnode: Any) -> Any:
    """Resolve a name of ours that a docstring gives without its module, if only one object has it."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not target or target.startswith("twisted."):
        return None
    objects = env.get_domain("py").objects
    for end in (f".{target.removeprefix('twisted_repeater.')}", f".{target.rpartition('.')[2]}"):
        found = [name for name in objects if name.endswith(end)]
        # The nearest to the top, so that a class is found rather than an attribute of that name.
        found = [name for name in found if name.count(".") == min(other.count(".") for other in found)]
        if len(found) == 1:
            place = objects[found[0]]
            return make_refnode(app.builder, node.get("refdoc"), place.docname, place.node_id, contnode, found[0])
    return None


def leave_builtins(app: Any, document: Any) -> None:
    """Take the names of Python's own types for no links: some attributes of ours have them, such as ``type``."""
    for reference in [*document.findall(pending_xref)]:
        if reference.get("refdomain") == "py" and hasattr(builtins, reference["reftarget"]):
            reference.replace_self(reference.children)


def setup(app: Any) -> None:
    """Connect the above."""
    app.connect("doctree-read", leave_builtins)
    app.connect("autodoc-process-docstring", doc_for_sphinx)
    app.connect("autodoc-process-signature", plain_signature)
    app.connect("missing-reference", name_of_twisted, priority=400)  # before intersphinx
    app.connect("missing-reference", find_short_name)
