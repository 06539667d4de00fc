"""Sphinx's settings; ``make docs`` builds with them, and any warning is an error there."""

from __future__ import annotations

from importlib.metadata import version as version_of
from typing import Any

from sphinx.util.nodes import make_refnode

project = "twisted_dispatcher"
author = "the twisted_dispatcher developers"
copyright = f"2026, {author}"
release = version_of("twisted_dispatcher")
version = release

extensions = [
    "sphinx.ext.autodoc",
    # Knows that the methods of a zope.interface have no `self`.
    "sphinxcontrib.zopeext.autointerface",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = project

# `Name` leads to Name if that is documented, and is shown as code if it is not.
default_role = "py:obj"

# Code is shown in a language that each block names, so that the tests know what to do with it.
highlight_language = "none"

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_preserve_defaults = True
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
# Shown by these names: an interface is no class, and would be shown as its representation.
autodoc_type_aliases = {
    name: f"twisted_dispatcher.interfaces.{name}"
    for name in (
        "IBackgroundUtility",
        "IEventDispatcher",
        "IHandler",
        "IObserver",
        "IRunner",
        "IStore",
        "ITransaction",
    )
} | {"IReactorTime": "twisted.internet.interfaces.IReactorTime"}

# Every reference to something of ours has to lead somewhere. References to Python, Twisted and
# zope.interface are left as they are: building needs no network.
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"(?!twisted_dispatcher).*"),
    (r"py:class", r".*\.\w*T"),  # type variables
]


def find_by_last_name(app: Any, env: Any, node: Any, shown: Any) -> Any:
    """Lead `Name` to the one thing that is documented under it, whatever module that is in."""
    target = node["reftarget"]
    found = [
        (name, entry)
        for name, entry in env.get_domain("py").objects.items()
        if name.endswith(f".{target}")
        and not entry.aliased
        # Attributes and methods have names that parameters have, too.
        and ("." in target or entry.objtype in ("class", "exception", "function", "interface"))
    ]
    if node.get("refdomain") != "py" or len(found) != 1:
        return None
    name, entry = found[0]
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, shown, name)


def setup(app: Any) -> None:
    """Have Sphinx ask for references that it cannot resolve itself."""
    app.connect("missing-reference", find_by_last_name)
