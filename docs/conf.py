"""Sphinx's settings; ``make docs`` builds with them, and any warning is an error there."""

from __future__ import annotations

from importlib.metadata import version as version_of

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
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"

# Every reference to something of ours has to lead somewhere. References to Python, Twisted and
# zope.interface are left as they are: building needs no network.
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(?!twisted_dispatcher).*")]
