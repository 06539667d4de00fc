"""
The seams of the package, as zope.interface contracts.

`IEventDispatcher` and `IBackgroundUtility` are what an application looks up and calls.
`IHandler`, `IObserver` and `IRunner` are what somebody else's code may provide or be handed.
`IStore` keeps what is durable, and `ITransaction` is what it lends to exactly-once handlers. An
`IAnsweringStore` is one that can do without a Deferred for each event.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import Attribute, Interface

from twisted_dispatcher.options import HandlerOptions
from twisted_dispatcher.records import (
    Acceptance,
    Accepted,
    Claim,
    Delivery,
    NewDelivery,
    NewEvent,
    Orphan,
    Settled,
    Settlement,
    StoredEvent,
    Unplanned,
    Worker,
)
from twisted_dispatcher.results import DispatchResult

Listener = Callable[[Any], Any]
Registration = tuple[tuple[Any, ...], Mapping[str, Any]]


class IBackgroundUtility(Interface):
    """Something that runs in the background of an application until it is stopped."""

    running: bool = Attribute("Whether it is running. Read only.")

    def start() -> None:
        """Start; `running` is True at once. Starting what is running is harmless."""

    def when_ready() -> Deferred[None]:
        """
        Give a Deferred that fires when it is started and does its work.

        It fires with None. It fails only with what no time would mend; then nothing is running.
        It may be cancelled.
        """

    def stop() -> Deferred[None]:
        """
        Stop; `running` is False at once. Stopping what is stopped is harmless.

        :return: a Deferred that fires with None when everything accepted before has finished.
            It has already fired when nothing is in flight. It does not fail.
        """


class IEventDispatcher(Interface):
    """
    Something that calls, for each event fired, the handlers whose match spec fits.

    All methods belong to the reactor's thread. Misuse (see each method) is raised at once;
    nothing is registered or fired then.
    """

    allowed_keywords: tuple[str, ...] = Attribute("The keywords that specs and details may name.")
    phases: tuple[str, ...] = Attribute("The names of the phases, in the order in which they run.")

    def add_event_handler(
        listen_fn: Listener,
        phase: str,
        use_weakref: bool = True,
        *,
        options: HandlerOptions | None = None,
        **match_spec: Any,
    ) -> Deferred[int]:
        """
        Register a handler for the events whose details the match spec is a subset of.

        :param listen_fn: called with the event alone. It may give a value, a Deferred or a
            coroutine.
        :param use_weakref: hold it (a bound method: its instance) weakly; when it is collected,
            its registration is removed.
        :param match_spec: for each keyword a plain hashable value, None (anything), a compiled
            pattern, `OneOf`, `Exactly` or `Where`.
        :return: a Deferred that fires with the registration's id, which is never used again.
        :raises UnknownKeyword, UnknownPhase, NotCallable, NotWeakReferenceable: at once.
        :raises UnhashableValue, InvalidOptions: at once.
        """

    def on(
        phase: str = "during", *, options: HandlerOptions | None = None, **match_spec: Any
    ) -> Callable[[Listener], Listener]:
        """
        Give a decorator that registers a function, held strongly, and gives it back.

        It raises as `add_event_handler` does.
        """

    def remove_event_handler(handler_id: int) -> Deferred[None]:
        """
        Remove a registration.

        :return: a Deferred that fires with None when the handler will not be started any more,
            or fails with `UnknownHandler`.
        """

    def replace_event_handlers(
        handler_ids: Iterable[int], registrations: Iterable[Registration]
    ) -> Deferred[list[int]]:
        """
        Swap some registrations for others at once: an event meets the old ones or the new.

        :param registrations: the positional and the keyword arguments of one
            `add_event_handler` call each.
        :return: a Deferred that fires with the new ids, or fails with `UnknownHandler`; then
            nothing has changed.
        :raises: as `add_event_handler` does; then nothing has changed.
        """

    def fire_event(event: Any, **event_details: Any) -> Deferred[DispatchResult]:
        """
        Call the handlers that match the details, phase after phase.

        :return: a Deferred that fires with the result when the last phase is done. Handlers that
            fail do not fail it. Cancelling it cancels the handlers that are pending and starts
            no later phase; it fails with `CancelledError` then. It fails with `UnhashableValue`
            when a detail cannot be hashed, and with `WouldDeadlock` when a handler waits for an
            event queued behind its own.
        :raises UnknownKeyword: at once, for a detail that is not allowed.
        """

    def wait_for(
        *,
        timeout: float | None = None,
        check: Callable[[Any], object] | None = None,
        **match_spec: Any,
    ) -> Deferred[Any]:
        """
        Give the next event that matches.

        :param timeout: seconds after which the Deferred fails with `WaitTimeout`; without it,
            the wait has no limit but its cancellation.
        :param check: called with a matching event; a false answer lets the event pass by. When
            it raises, the Deferred fails with what it raised.
        """

    def allow_keyword(name: str) -> None:
        """Allow one more keyword. Allowing it again is harmless."""

    def forbid_keyword(name: str) -> None:
        """Forbid a keyword; `KeywordInUse` is raised while a handler's spec names it."""

    def describe() -> list[Any]:
        """List what is registered: id, name, phase, spec, options, place of registration."""

    def why(**event_details: Any) -> list[Any]:
        """Say for every handler whether such an event would reach it, or what stands against."""


class IHandler(Interface):
    """A registered handler, as observers and runners see it."""

    id: int = Attribute("The registration's id.")
    name: str = Attribute("The handler's name.")
    phase: str = Attribute("The phase for which it is registered.")
    registered_at: str = Attribute('Where it was registered, as "file:line".')


class IObserver(Interface):
    """
    Something that watches a dispatcher. It is called in the reactor's thread, synchronously.

    What an observer raises is logged and goes no further.
    """

    def fire_started(event: Any) -> None:
        """An event is about to meet its handlers."""

    def fire_ended(event: Any, result: DispatchResult) -> None:
        """All handlers of an event are done."""

    def handler_started(handler: IHandler, event: Any) -> None:
        """A handler is about to be called (with options: for all of its attempts)."""

    def handler_ended(handler: IHandler, event: Any, value: Any) -> None:
        """A handler has given its value."""

    def handler_failed(handler: IHandler, event: Any, failure: Any) -> None:
        """A handler has failed, after its last attempt."""


class IRunner(Interface):
    """A place where a handler's code can run."""

    def run(handler: Listener, event: Any) -> Deferred[Any]:
        """
        Call the handler with the event there.

        :return: a Deferred that fires in the reactor's thread with what the handler gave, or
            fails with what it raised.
        """


class ITransaction(Interface):
    """
    A store's transaction, while the work of an exactly-once handler is done in it.

    It belongs to the thread that it is handed out in, and to the time until the work returns;
    `TransactionMisused` is raised by all of it afterwards.
    """

    connection: Any = Attribute(
        "The driver's own connection. To commit or to roll back on it raises there, and fails "
        "the work with `TransactionMisused`."
    )

    def execute(sql: str, parameters: Any = ()) -> Any:
        """Execute a statement with the driver's placeholders, and give the driver's cursor."""

    def accept(event: NewEvent) -> Acceptance:
        """
        Accept an event; it is there if, and only if, the transaction commits.

        What its acceptor is to run of it is among the `Settled.opened` of the transaction.
        """


class IStore(Interface):
    """
    The place where durable events and their deliveries live.

    All methods belong to the reactor's thread, and every Deferred fires there, *after* what it
    tells of is durable. What is asked for in one turn of the reactor may be committed together, in
    any order. `now` is the caller's time, in seconds since the epoch.

    Beside what each method says, every Deferred may fail with a `StoreUnavailable` (the store is
    away, locked, full or read-only; nothing was done, try again), with `CorruptStore`, with
    `NotStorable` (the database cannot hold what was given), or with `StoreClosed`. What fails
    leaves nothing behind and harms nothing that was asked for beside it. A commit of which it is
    not known whether it happened is looked up before anybody is told.

    A Deferred that is cancelled in the turn in which it was made cancels what was asked for; later
    it only ends the wait.

    **Order.** Of an event's deliveries those of the lowest rank are open first; the next rank
    opens when none of them is unsettled. Of the events in one lane the first accepted is open, and
    the next one opens when it is settled, also where the first is not due for a long time. An open
    delivery that a worker does not run yet is due at some time, and no other one is.

    **Fence.** A delivery runs for one worker at a time. Every start of it has the next number, and
    only the worker that holds that attempt can settle it.

    To hold a store of your own against this contract, run `twisted_dispatcher.testing.stores`.
    """

    def accept(events: Sequence[NewEvent], worker: Worker, now: float) -> Deferred[list[Accepted]]:
        """
        Store events with their deliveries, each but once by its key.

        What is due at once, and what the worker can run of it, is born running for the worker:
        these are the claims of the event. An event without deliveries is settled at once.

        :return: a Deferred that fires with what became of each event, in order. For a key that is
            known, also from earlier in the same call, it has the id of the first one, is not new,
            and has no claims. All events of one call are stored, or none.
        """

    def unplanned(worker: Worker, now: float, limit: int) -> Deferred[list[Unplanned]]:
        """List events, the first due first, that are due and still have no deliveries."""

    def plan(
        event_id: int, deliveries: Sequence[NewDelivery], worker: Worker, now: float
    ) -> Deferred[Accepted | None]:
        """
        Store the deliveries of an event that was accepted without.

        :return: a Deferred that fires as that of `accept` does, or with None when somebody else
            has planned it, or it is not there.
        """

    def settle(
        settlements: Sequence[Settlement], worker: Worker, now: float
    ) -> Deferred[list[Settled]]:
        """
        Store what attempts came to, and open what follows from it.

        An attempt that is given back (pending) is excused: see `Claim.excused`.

        What opens, and what the worker can run of it, is born running for the worker.

        :return: a Deferred that fires with what followed from each settlement, in order. Where
            the worker does not hold the attempt any more, `held` is False and nothing is written.
        """

    def claim(worker: Worker, now: float, limit: int) -> Deferred[list[Claim]]:
        """
        Give the worker deliveries that are due and that it can run, the first due first.

        Each starts its next attempt, and runs for this worker alone until it settles it, or until
        `release_dead` finds that the worker is dead.
        """

    def transact(
        claim: Claim, work: Callable[[Any], Any], worker: Worker, now: float
    ) -> Deferred[tuple[Any, Settled]]:
        """
        Do some work and settle a delivery as done, in one transaction.

        :param work: a plain function of an `ITransaction`. Keep it short: the store can do
            nothing else meanwhile, and may do it in the reactor's thread. Only what it writes in
            the transaction counts: it is called again when a transaction that others share fails.
        :return: a Deferred that fires with what the work gave, and what followed. When the worker
            does not hold the attempt any more, the work is not called, and `held` is False. It
            fails with what the work raised, or with `TransactionMisused`; nothing that was written
            is kept then, and the delivery is still running.
        """

    def heartbeat(worker: Worker, until: float, now: float) -> Deferred[bool]:
        """
        Believe a worker to be alive until a time, and that it can run its handlers.

        A worker that holds deliveries and never said so is believed to be dead.

        :return: a Deferred that fires with whether the store still knew it. When it did not, what
            it was running may have been given to others.
        """

    def release_dead(now: float) -> Deferred[int]:
        """
        Give back what workers were running that are not alive any more: it is due now.

        The attempt counts, and the delivery's error says that its worker died in it.

        :return: a Deferred that fires with the number of deliveries.
        """

    def next_due(worker: Worker, now: float) -> Deferred[float | None]:
        """Tell when something is due next that the worker can claim or plan, or None."""

    def orphans(before: float, now: float, limit: int = 100) -> Deferred[list[Orphan]]:
        """
        List handlers that something waits for since before a time, and no live worker names.

        To bury what waits for one, claim it in its name, and settle it as dead.
        """

    def delivery(delivery_id: int) -> Deferred[Delivery]:
        """Give one delivery; the Deferred fails with `UnknownDelivery`."""

    def deliveries(
        status: str | None = None,
        key: str | None = None,
        handler: str | None = None,
        limit: int = 100,
    ) -> Deferred[list[Delivery]]:
        """
        List deliveries, the newest first.

        Of those by handler that are done, a store may look at the newest 100,000 of all alone.
        """

    def deliveries_of(event_id: int) -> Deferred[list[Delivery]]:
        """List the deliveries of one event in the order in which they were given."""

    def body_of(delivery_id: int) -> Deferred[str]:
        """
        Give the body of a delivery's event.

        The Deferred fails with `UnknownDelivery`, or with `PayloadGone`.
        """

    def events(
        ids: Collection[int] | None = None,
        keys: Collection[str] | None = None,
        open: bool | None = None,
        limit: int = 100,
    ) -> Deferred[list[StoredEvent]]:
        """
        List events, the newest first.

        :param ids: only these.
        :param keys: only those with these keys.
        :param open: only those that are not settled yet (True), or that are (False).
        """

    def settled(event_ids: Collection[int]) -> Deferred[frozenset[int]]:
        """Tell which of some events have nothing left to do; they may not be there any more."""

    def counts() -> Deferred[Mapping[str, int]]:
        """
        Count what needs attention.

        :return: a Deferred that fires with the number of deliveries that are pending, running,
            retrying, dead and skipped, and of events that are ``open``.
        """

    def replay(delivery_id: int, body: str | None, now: float) -> Deferred[None]:
        """
        Have a delivery run again that is done, dead or skipped: it is pending, and due now.

        All of its attempts until now are excused. It waits for what is left of earlier ranks, for
        a later rank that is open, and for another event of its lane that is.

        Where its death had stopped its event, what was skipped for that waits for its turn again.

        :param body: replaces the body of its event.
        :return: a Deferred that fires with None. It fails with `UnknownDelivery`, with
            `WrongStatus`, or with `PayloadGone` when there is no body.
        """

    def skip(delivery_id: int, now: float) -> Deferred[None]:
        """
        Give up a delivery that is not settled, or dead, so that its event goes on without it.

        :return: a Deferred that fires with None. It fails with `UnknownDelivery` or with
            `WrongStatus`.
        """

    def purge(
        payloads_before: float | None, keys_before: float | None, limit: int
    ) -> Deferred[int]:
        """
        Forget the bodies of events settled before one time, and all of those before another.

        It looks at `limit` events at most, and goes on from there when it is called again; at the
        end it begins anew.

        :return: a Deferred that fires with the number of events of which something was deleted.
        """

    def listen(callback: Callable[[str], object]) -> Callable[[], None]:
        """
        Call back when something was committed, here or elsewhere, that others may care for.

        :param callback: called in the reactor's thread with ``"work"`` when something may be due
            or to be planned, with ``"settled"`` when events may be settled, and with ``"chains"``
            when chains may be due. News may be late, repeated, wrong, or missing: they save time,
            and nothing may depend on them.
        :return: call it to listen no more.
        """

    def close() -> Deferred[None]:
        """
        Do what was asked for before, then close.

        :return: a Deferred that fires with None and does not fail. Closing twice is harmless.
        """


class IAnsweringStore(IStore):
    """
    A store that can also be asked for one event at a time, and answers by calling back.

    It is the same as `IStore.accept` and `IStore.settle` for one event, without a Deferred for
    each of them, a list of one, and the calls that these cost; a dispatcher asks in this way where
    a store provides it. A store need not provide it.

    An ``answer`` is called once, in the reactor's thread, after what it tells of is durable, with
    what the Deferred would have fired with, for the one event, or with the `Failure` that it would
    have failed with. It may be called before the method returns, where the store is closed. It may
    ask for more, and it does not raise.
    """

    def accept_one(
        event: NewEvent,
        worker: Worker,
        now: float,
        answer: Callable[[Accepted | Failure], object],
    ) -> None:
        """Store an event as `IStore.accept` does, and call back with its `Accepted`."""

    def settle_one(
        settlement: Settlement,
        worker: Worker,
        now: float,
        answer: Callable[[Settled | Failure], object],
    ) -> None:
        """Store what an attempt came to as `IStore.settle` does; call back with its `Settled`."""
