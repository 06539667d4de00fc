"""
For the tests of projects: events that are handled at once, and events that are only looked at.

All of it works in `TestCase`, whose transactions are rolled back, in `TransactionTestCase`, under
``--parallel``, and with pytest-django. Nothing runs in the background, and nothing is waited for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ContextDecorator, contextmanager
from types import TracebackType
from typing import Any

from django.conf import settings
from django.db import connections
from django.test.utils import override_settings

from twisted_dispatcher.django import outbox
from twisted_dispatcher.django.at_once import Handled, watching
from twisted_dispatcher.django.conf import AT_ONCE, SETTING
from twisted_dispatcher.django.rows import Rows
from twisted_dispatcher.durable.codec import default_codec
from twisted_dispatcher.errors import HandlersFailed
from twisted_dispatcher.events import Event

__all__ = ["AtOnceMixin", "captured_events", "deliver_at_once"]


class deliver_at_once(ContextDecorator):  # noqa: N801
    """
    Has the handlers of events called at once, within a ``with`` block or a decorated function.

    An event is handled when the transaction in which it was recorded commits; in a `TestCase`,
    when the outermost block of the code under test ends. A handler that fails is seen by nobody
    who saves something, as in production; but at the end of the block `HandlersFailed` is raised,
    unless the test has looked at the failures.

    :ivar handled: what every handler came to, in order.
    """

    def __init__(self) -> None:
        self.handled: list[Handled] = []
        self._seen = 0

    def __enter__(self) -> deliver_at_once:
        self.handled, self._seen = [], 0
        self._settings = _at_once()
        self._watching = watching(self.handled.append)
        self._settings.enable()
        self._watching.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._watching.__exit__(None, None, None)
        self._settings.disable()
        failed = self.take_failures()
        if failed and kind is None:
            raise HandlersFailed(failed) from failed[0].error

    def take_failures(self) -> list[Handled]:
        """Give the failures since the last call of this; who takes them expects them."""
        new, self._seen = self.handled[self._seen :], len(self.handled)
        return [each for each in new if each.error is not None]


def _at_once() -> override_settings:
    """Give what switches the setting."""
    given = getattr(settings, SETTING, {})
    kept: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    return override_settings(**{SETTING: {**kept, "RUN": AT_ONCE}})


class AtOnceMixin:
    """
    Has events handled at once in every test of a class, and in its `setUpTestData`.

    It stands before `TestCase` among the base classes.

    :ivar delivered: the `deliver_at_once` of the present test.
    """

    delivered: deliver_at_once

    @classmethod
    def setUpClass(cls) -> None:
        """Begin with the data of the class, for which no handler may fail."""
        # Settings that the class overrides as well end before this does.
        at_once = _at_once()
        at_once.enable()
        cls.addClassCleanup(at_once.disable)  # type: ignore[attr-defined]
        handled: list[Handled] = []
        with watching(handled.append):
            super().setUpClass()  # type: ignore[misc]
        failed = [each for each in handled if each.error is not None]
        if failed:
            cls.tearDownClass()  # type: ignore[attr-defined]
            raise HandlersFailed(failed) from failed[0].error

    def setUp(self) -> None:
        self.delivered = deliver_at_once()
        self.delivered.__enter__()
        self.addCleanup(self.delivered.__exit__, None, None, None)  # type: ignore[attr-defined]
        super().setUp()  # type: ignore[misc]


@contextmanager
def captured_events() -> Iterator[list[Event]]:
    """
    Give a list which has, at the end of the ``with`` block, the new events recorded in it.

    What was rolled back by then is not among them. Whether they are handled is another matter;
    in a `TestCase`, they are only at once.
    """
    found: list[Event] = []
    recorded: list[tuple[int, str]] = []

    def note(new: Any, using: str) -> None:
        recorded.extend((each.acceptance.event_id, using) for each in new)

    outbox.follow(note)
    try:
        yield found
    finally:
        outbox.leave(note)
    # On SQLite the next event gets the id of one that was rolled back, and is here twice then.
    for event_id, using in dict.fromkeys(recorded):
        row = Rows(connections[using]).event(event_id)
        if row is not None:
            found.append(default_codec.decode(str(row.body)))
