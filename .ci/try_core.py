"""Tries an installed twisted_dispatcher that has no extras: it imports, types and dispatches."""

from __future__ import annotations

import sys
from importlib.resources import files

import twisted_dispatcher
from twisted_dispatcher import EventDispatcher
from twisted_dispatcher.testing import result_of

OPTIONAL = ("click", "rich", "defusedxml", "cloudevents", "crochet", "zope.component")


def main() -> None:
    """Fail unless the package that is found is installed, typed, light and able to dispatch."""
    assert "site-packages" in twisted_dispatcher.__file__, twisted_dispatcher.__file__
    assert files("twisted_dispatcher").joinpath("py.typed").is_file(), "py.typed is not packed"
    assert "twisted.internet.reactor" not in sys.modules, "importing it installed a reactor"
    assert not set(OPTIONAL) & set(sys.modules), "importing it loaded optional packages"

    dispatcher = EventDispatcher(("kind",))
    dispatcher.start()
    dispatcher.add_event_handler(str.upper, "during", use_weakref=False, kind="greeting")
    result = result_of(dispatcher.fire_event("hello", kind="greeting"))
    assert result.values == ["HELLO"], result

    print(f"dispatched with {twisted_dispatcher.__file__}")


main()
