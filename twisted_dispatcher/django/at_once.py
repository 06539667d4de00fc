"""
Events that are handled at once, in tests: here, in this thread, on Django's own connection.

An event is handled when the transaction that it was recorded in commits, or what counts as that in
a `TestCase` (`commits`). Its handlers are called one after another, by phase and in order of
registration; what they record is handled when they are done. What became of each delivery is
written down as a worker would, except that nothing is tried again: a handler that fails leaves its
delivery dead at once.

A handler's failure reaches nobody who saves something, here as elsewhere. It is told to those who
watch (`watching`); where nobody does, it is logged.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from logging import getLogger
from threading import local
from typing import Any, Final

import attrs
from django.db import DatabaseError, connections, transaction
from twisted.python.failure import Failure

from twisted_dispatcher.django.commits import at_commit
from twisted_dispatcher.django.rehearsal import rehearsal
from twisted_dispatcher.django.rows import EventRow, Rows
from twisted_dispatcher.django.transactions import DjangoTransaction
from twisted_dispatcher.durable.codec import default_codec
from twisted_dispatcher.durable.current import reset_claim, set_claim
from twisted_dispatcher.durable.rules import traceback_of
from twisted_dispatcher.errors import EndlessEvents, HandlerWaits, UnknownDelivery, WrongStatus
from twisted_dispatcher.events import Event
from twisted_dispatcher.firing.answers import DEFERRED, FAILURE, kind_of, settle
from twisted_dispatcher.records import SETTLED, SKIPPABLE, Claim
from twisted_dispatcher.registrar import takes_transaction
from twisted_dispatcher.registration.handlers import Handler

# So many events may follow from one before it is taken for an endless loop.
MOST_FOLLOWING: Final = 10_000

_log = getLogger("twisted_dispatcher.django")
_present = local()


@attrs.frozen(eq=False)
class Handled:
    """
    What a handler came to.

    :ivar delivery_id: of its delivery; None for a handler that is called in memory only.
    :ivar error: what it raised, or None.
    """

    event: Event
    handler: str
    delivery_id: int | None
    error: Exception | None


Watcher = Callable[[Handled], object]
_watchers: list[Watcher] = []


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Have somebody told of everything that handlers come to."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


def handle_at_commit(event_ids: Iterable[int], using: str) -> None:
    """Have events handled that were recorded in the present transaction, when it commits."""
    at_commit(partial(_handle, tuple(event_ids), using), using)


def replay(delivery_id: int, context: Mapping[str, Any] | None, using: str) -> bool:
    """
    Call the handler of a delivery again.

    :param context: what the event's context shall be from now on; None leaves it as it was.
    :return: whether the delivery is there, and its handler.
    :raises WrongStatus: when the delivery is not settled.
    """
    rows = Rows(connections[using])
    delivery = rows.delivery(delivery_id)
    row = None if delivery is None else rows.event(delivery.event_id)
    if delivery is None or row is None or row.body is None:
        return False
    if delivery.status not in SETTLED:
        raise WrongStatus(delivery_id, delivery.status, "replayed", sorted(SETTLED))
    if context is not None:
        event = attrs.evolve(default_codec.decode(row.body), context=dict(context))
        row = attrs.evolve(row, body=default_codec.encode(event))
        rows.change_body(row.id, str(row.body))
    plan = rehearsal().plan(default_codec.decode(row.details))
    for handler in plan.handlers:
        if handler.name == delivery.handler:
            rows.run_again(delivery_id)
            _run(handler, row, delivery_id, delivery.attempts + 1, rows, using)
            return True
    return False


def skip(delivery_id: int, using: str) -> None:
    """
    Give a delivery up.

    :raises UnknownDelivery: when there is none with this id.
    :raises WrongStatus: when it is done or was skipped.
    """
    rows = Rows(connections[using])
    delivery = rows.delivery(delivery_id)
    if delivery is None:
        raise UnknownDelivery(delivery_id)
    if delivery.status not in SKIPPABLE:
        raise WrongStatus(delivery_id, delivery.status, "skipped", SKIPPABLE)
    rows.skip(delivery_id, time.time())


def _handle(event_ids: Sequence[int], using: str) -> None:
    """Handle events, and all that follows from them; within that, leave it to who is at it."""
    waiting = getattr(_present, "waiting", None)
    if waiting is not None:
        waiting.extend((event_id, using) for event_id in event_ids)
        return
    waiting = _present.waiting = deque((event_id, using) for event_id in event_ids)
    most = len(waiting) + MOST_FOLLOWING
    try:
        while waiting:
            most -= 1
            if most < 0:
                raise EndlessEvents(MOST_FOLLOWING)
            _handle_one(*waiting.popleft())
    finally:
        del _present.waiting


def _handle_one(event_id: int, using: str) -> None:
    rows = Rows(connections[using])
    row = rows.event(event_id)
    # On SQLite the next event gets the id of one that was rolled back, and comes twice then.
    if row is None or row.first_delivery is not None:
        return
    plan = rehearsal().plan(default_codec.decode(row.details))
    deliveries = plan.deliveries or ()
    ids = _ids_of(plan.handlers, rows.plan(event_id, deliveries, time.time()))
    for handler, delivery_id in zip(plan.handlers, ids):
        _run(handler, row, delivery_id, 1, rows, using)


def _ids_of(handlers: Sequence[Handler], first: int) -> Iterator[int | None]:
    """Give for each handler the id of its delivery, if it has one."""
    for handler in handlers:
        if handler.options.durable is False:
            yield None
        else:
            yield first
            first += 1


def _run(
    handler: Handler, row: EventRow, delivery_id: int | None, attempt: int, rows: Rows, using: str
) -> None:
    """Call a handler, and write down what it came to."""
    claim = Claim(
        delivery_id or 0,
        *(row.id, row.key, handler.name, handler.phase, 0, attempt),
        *(str(row.body), row.details),
    )
    event = default_codec.decode(str(row.body))
    call = _transact if takes_transaction(handler.options) else _call
    error = _error_of(partial(call, handler, event, claim, using))
    if delivery_id is not None:
        text = None if error is None else traceback_of(Failure(error, type(error)))
        rows.settle(delivery_id, text, time.time())
    _tell(Handled(event, handler.name, delivery_id, error))


def _call(handler: Handler, given: Any, claim: Claim, using: str) -> None:
    token = set_claim(claim)
    try:
        answer = settle(handler.call(given))
    finally:
        reset_claim(token)
    if kind_of(answer) == FAILURE:
        answer.raiseException()
    if kind_of(answer) == DEFERRED:
        answer.addErrback(lambda _: None)
        answer.cancel()
        raise HandlerWaits(handler.name)


def _transact(handler: Handler, event: Any, claim: Claim, using: str) -> None:
    """Call an exactly-once handler: what it writes stays if, and only if, it succeeds."""
    with transaction.atomic(using=using):
        own = DjangoTransaction(
            connections[using], lambda event_id: handle_at_commit((event_id,), using)
        )
        try:
            _call(handler, (event, rehearsal().transaction(own)), claim, using)
        finally:
            own.end()


def _error_of(call: Callable[[], object]) -> Exception | None:
    """
    Give what a handler raises.

    As elsewhere, what it wrote before stays, since nobody gave it a transaction; but an error of
    the database would spoil the transaction of a test, so that what came before it is rolled back.
    """
    error: Exception | None = None
    try:
        with _savepoints():
            try:
                call()
            except DatabaseError:
                raise
            except Exception as raised:
                error = raised
    except DatabaseError as raised:
        error = error or raised
    return error


@contextmanager
def _savepoints() -> Iterator[None]:
    """Protect all transactions that are open in this thread, each by a savepoint."""
    with ExitStack() as stack:
        for connection in connections.all(initialized_only=True):
            if connection.in_atomic_block:
                stack.enter_context(transaction.atomic(using=connection.alias))
        yield


def _tell(handled: Handled) -> None:
    for each in tuple(_watchers):
        each(handled)
    if handled.error is not None and not _watchers:
        _log.error(
            "Handler %s failed for the event %s",
            handled.handler,
            handled.event.key,
            exc_info=handled.error,
        )
