"""
What runs in this process, and how it hears of what was recorded.

Nothing starts before it is needed: not by importing this, nor by ``migrate``, nor in the process
that a server forks its children from. What is needed first is mostly that an event was committed,
where the setting says that this process handles events itself (``RUN`` is ``"here"``).

A process that was forked from one in which something runs already cannot have a reactor of its
own. What it records is handled by the other one, or by another worker; that is said once.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from logging import getLogger
from typing import Any, Protocol

from django.conf import settings
from django.core.signals import setting_changed

from twisted_dispatcher.blocking import Connection
from twisted_dispatcher.django import at_once
from twisted_dispatcher.django.commits import after_commit, watch
from twisted_dispatcher.django.conf import AT_ONCE, HERE, SETTING, conf, read
from twisted_dispatcher.django.outbox import Recorded, follow
from twisted_dispatcher.django.resident import Resident
from twisted_dispatcher.errors import ForkedProcess, UnknownDelivery

_log = getLogger("twisted_dispatcher.django")


class Dweller(Protocol):
    """A dispatcher in this process: a `Resident`, or that of the daemon."""

    def wake(self, event_ids: Sequence[int]) -> None:
        """Have a look at events that were just committed, without waiting for it."""

    def connection(self) -> Connection:
        """Give a connection to it, when it has started."""

    def stop(self) -> None:
        """Stop it, if it is for others to do so."""


_lock = threading.Lock()
# By whether it calls handlers.
_dwellers: dict[bool, Dweller] = {}
_has_warned = False


def begin() -> None:
    """Hear of what is recorded, from now on; called once, when the applications are ready."""
    follow(_recorded)
    setting_changed.connect(_get_ready, dispatch_uid="twisted_dispatcher.running")
    _get_ready(setting=SETTING)


def _get_ready(*, setting: str, **rest: Any) -> None:
    """Notice the ends of transactions from the first on, where events are handled at once."""
    if setting == SETTING and read(getattr(settings, SETTING, {}))[0].run == AT_ONCE:
        watch()


def _recorded(recorded: Sequence[Recorded], using: str) -> None:
    """Take note of new events, in the transaction that has written them."""
    event_ids = [each.acceptance.event_id for each in recorded if each.acceptance is not None]
    run = conf().run
    if run == AT_ONCE:
        at_once.handle_at_commit(event_ids, using)
    elif run == HERE or True in _dwellers:

        def tell_worker() -> None:
            _committed(event_ids)

        after_commit(tell_worker, using)


def _committed(event_ids: Sequence[int]) -> None:
    """Have events handled that were just committed."""
    global _has_warned
    try:
        _dweller(True).wake(event_ids)
    except ForkedProcess as error:
        if not _has_warned:
            _has_warned = True
            _log.warning(
                "What is recorded in this process is left to other workers (run_dispatcher is "
                "one): %s",
                error,
            )


def _dweller(works: bool) -> Dweller:
    with _lock:
        if works not in _dwellers:
            _dwellers[works] = Resident(conf(), works)
        return _dwellers[works]


def connection() -> Connection:
    """
    Give a blocking connection to the dispatcher on the project's database.

    It is for any thread but the reactor's. Where this process handles no events itself, the
    dispatcher behind it calls no handlers.

    :raises CallTimeout: when it is not there within the ``TIMEOUT`` of the setting.
    :raises StoreError, NotMigrated: when the store cannot be opened.
    :raises UnsuitableDatabase, ForkedProcess, MissingExtra: where there can be none.
    """
    return _dweller(conf().run == HERE or True in _dwellers).connection()


def replay(delivery_id: int, context: Mapping[str, Any] | None = None) -> None:
    """
    Have a delivery that is done, dead or skipped run again.

    :param context: what the event's context shall be from now on; by default as it was.
    :raises UnknownDelivery: when there is none with this id.
    :raises WrongStatus: when it waits or runs.
    :raises PayloadGone: when the event was deleted after the time for which payloads are kept;
        where events are handled at once this is `UnknownDelivery`, too, and so is a handler that
        is not there any more.
    :raises InvalidReplay: when there is a context, and the event is no `Event`.
    :raises NotDecodable, NotEncodable: when there is a context, and the event cannot be read, or
        not be written with it.
    """
    if conf().run != AT_ONCE:
        connection().replay(delivery_id, context)
    elif not at_once.replay(delivery_id, context, conf().database):
        raise UnknownDelivery(delivery_id)


def skip(delivery_id: int) -> None:
    """
    Give a delivery up that is not settled, or is dead, so that its event goes on without it.

    :raises UnknownDelivery: when there is none with this id.
    :raises WrongStatus: when it is done or was skipped.
    """
    if conf().run == AT_ONCE:
        at_once.skip(delivery_id, conf().database)
    else:
        connection().skip(delivery_id)


def stop() -> None:
    """
    Stop what runs in this process, when the handlers that it calls have ended.

    It happens by itself at the end of the process. What is recorded later starts it again.
    """
    with _lock:
        stopped = list(_dwellers.values())
        _dwellers.clear()
    for each in stopped:
        each.stop()


def serve(dweller: Dweller) -> None:
    """Take a dispatcher, that of the daemon, for the one of this process."""
    with _lock:
        _dwellers[True] = _dwellers[False] = dweller


def _forked() -> None:
    """Forget, in the child of a fork, what runs in its parent."""
    global _lock, _dwellers, _has_warned
    _lock, _dwellers, _has_warned = threading.Lock(), {}, False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
