"""
`Hub`: where the sessions of one dispatcher meet its store and its handlers.

What happens to a session goes through `change`: one transaction that loads it, applies the rules,
stores it, and accepts an event for every instance that became ready. Such an event comes back to
the hub's own handler, here or on another machine, and is run by `running`.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from hashlib import blake2b
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from twisted_dispatcher.durable.dispatcher import DurableDispatcher
from twisted_dispatcher.errors import InvalidSession, StoreWithoutTriggers, UnknownSession
from twisted_dispatcher.events import Event
from twisted_dispatcher.interfaces import IRunner
from twisted_dispatcher.options import HandlerOptions, RetryPolicy
from twisted_dispatcher.records import NewDelivery, NewEvent
from twisted_dispatcher.triggerrecords import SessionStep
from twisted_dispatcher.triggers.expiring import Expiry
from twisted_dispatcher.triggers.facts import (
    Configure,
    Effects,
    Fact,
    Fire,
)
from twisted_dispatcher.triggers.forms import Forms
from twisted_dispatcher.triggers.instances import TaskInstance
from twisted_dispatcher.triggers.rules import apply
from twisted_dispatcher.triggers.session import Instance, Session
from twisted_dispatcher.triggers.touching import waiting_for
from twisted_dispatcher.triggerstore import ITriggerStore

KEYWORD: Final = "trigger_event"
VALUE: Final = "session"
TYPE: Final = "twisted_dispatcher.triggers"
# What a task fails with is kept with its instance, and never fails the delivery; what does is the
# store that is away, or code that this worker lacks, and that is waited for.
OPTIONS: Final = HandlerOptions(
    name=TYPE, retry=RetryPolicy(max_attempts=1_000_000, initial=1.0, maximum=60.0)
)
# So often, in seconds, it is looked whether other processes are done with a session.
POLL: Final = 1.0
_ATTRIBUTE: Final = "_trigger_hub"

Types = tuple[str, str]


@attrs.frozen
class Outcome:
    """What came of a fact: the session as it is now, as far as it was loaded, and the effects."""

    session: Session
    effects: Effects


class Hub:
    """
    The sessions of one dispatcher; see `install`.

    :ivar empty: no kwargs, as the codec writes them.
    """

    def __init__(
        self, dispatcher: DurableDispatcher, handle: Callable[[Hub, Event], Awaitable[None]]
    ) -> None:
        """
        :param handle: runs an event of ours.
        :raises StoreWithoutTriggers: when the store cannot keep sessions.
        """
        self.dispatcher = dispatcher
        self._backstage = dispatcher.backstage
        self.store: ITriggerStore = _triggers_of(self._backstage.store)
        self.codec = self._backstage.codec
        self.forms = Forms(self.codec)
        self.empty = self.codec.encode({})
        self._thread = threading.get_ident()
        self._busy: Counter[str] = Counter()
        self._waiting: dict[str, list[Deferred[None]]] = {}
        self._expiry: Expiry | None = None
        dispatcher.allow_keyword(KEYWORD)
        phases = dispatcher.phases
        phase = "during" if "during" in phases else phases[0]
        self._details = self.codec.encode({KEYWORD: VALUE}, "details")
        self._deliveries = (NewDelivery(TYPE, phase, phases.index(phase)),)
        dispatcher.on(phase, options=OPTIONS, **{KEYWORD: VALUE})(partial(handle, self))

    @property
    def clock(self) -> IReactorTime:
        """The dispatcher's clock."""
        return self._backstage.clock()

    @property
    def is_elsewhere(self) -> bool:
        """Whether the caller is in a thread that is not the reactor's."""
        return threading.get_ident() != self._thread

    def runner(self, name: str) -> IRunner | None:
        """Give a runner of the dispatcher by its name."""
        return self.dispatcher.runners.get(name)

    def expire(self, after: float) -> None:
        """
        Have this dispatcher's worker delete sessions to which nothing has happened for long.

        :param after: in seconds.
        :raises InvalidSession: when it is not a number above 0.
        """
        if isinstance(after, bool) or not isinstance(after, (int, float)) or not after > 0:
            raise InvalidSession(f"expire_after is a number of seconds above 0, not {after!r}")
        if self._expiry is None:
            self._expiry = Expiry(self.store, after)
            self._backstage.at_each_beat(self._expiry.go_on)
        self._expiry.expire_after = after

    # Changing

    async def change(
        self,
        uid: str,
        fact: Fact,
        types: Types,
        *,
        create: bool = False,
        finalizing: str | None = None,
        default: Callable[[], Configure] | None = None,
        once: str | None = None,
    ) -> Outcome | None:
        """
        Let something happen to a session; it is stored when this returns.

        :param types: of the managers that tasks are given which are ready by this.
        :param default: gives what a session without tasks is configured with first, which is made
            if it is not there.
        :param once: a key for which it happens once; None is returned when that was before.
        :raises UnknownSession: when it is not there, unless `create`.
        :raises: what the rules refuse, and what the store fails with.
        """
        now = self._backstage.now()
        last = None if finalizing is None else Fire(finalizing, self.empty)
        # Not a random one, which costs a call of the system for each change.
        token = self._backstage.keys.make(now)

        def take(session: Session | None) -> tuple[Session | None, list[NewEvent], Any]:
            if session is None:
                if not create and default is None:
                    raise UnknownSession(uid)
                session = Session(uid, token, types)
            if default is not None and not session.config.tasks:
                session, _ = apply(session, default(), now)
            after, effects = apply(session, fact, now, last)
            events = [
                self._written(key, now + delay, body)
                for key, delay, body in _events_of(after, effects, types)
            ]
            if once is not None:
                events.append(self._receipt(_once(after, once), now, uid))
            return after if effects.changed else None, events, Outcome(after, effects)

        name = getattr(fact, "instance", None)
        names = () if name is None else (name,)
        waiting = partial(waiting_for, fact=fact, finalizing=last)
        creates = create or default is not None
        key = None if once is None else partial(_once, key=once)
        step = SessionStep(uid, names, take, self.forms.form, creates, waiting, key)
        outcome: Outcome | None
        outcome, accepted = await self.store.change(step, self._backstage.acceptor, now)
        self._backstage.run([claim for each in accepted for claim in each.claims])
        return outcome

    def _written(self, key: str, due: float, body: Mapping[str, Any]) -> NewEvent:
        """Write an event down: it goes to our own handler alone, and is in no lane."""
        event = Event(TYPE, key=key, context=dict(body))
        return NewEvent(key, self.codec.encode(event), self._details, None, due, self._deliveries)

    def _receipt(self, key: str, now: float, uid: str) -> NewEvent:
        """Write down that something has happened: an event that goes to nobody."""
        event = Event(TYPE, key=key, context={"do": "nothing", "uid": uid})
        return NewEvent(key, self.codec.encode(event), self._details, None, now, ())

    def instance_of(self, instance: Instance, session: Session) -> TaskInstance:
        """Give an instance as users see it."""
        return TaskInstance(instance, session.config.tasks.get(instance.task), self.codec)

    def text_of(self, kwargs: Any, name: str) -> str:
        """
        Write kwargs; None are none.

        :raises InvalidSession, NotEncodable: when they are no mapping, or cannot be stored.
        """
        if kwargs is not None and not isinstance(kwargs, Mapping):
            raise InvalidSession(
                f"{name} is a mapping of names to values, not {type(kwargs).__name__}"
            )
        return self.codec.encode(dict(kwargs or {}), name)

    def texts_of(self, values: Any) -> dict[str, str]:
        """
        Write metadata, or kwargs by trigger, each value by itself.

        :raises InvalidSession, NotEncodable: as `text_of` does.
        """
        if not isinstance(values, Mapping):
            raise InvalidSession(f"metadata and kwargs are mappings, not {type(values).__name__}")
        return {name: self.codec.encode(value, name) for name, value in values.items()}

    # Waiting until a session is quiet

    def enter(self, uid: str) -> None:
        """Note that something goes on here for a session."""
        self._busy[uid] += 1

    def leave(self, uid: str) -> None:
        """Note that it has ended."""
        self._busy[uid] -= 1
        if self._busy[uid] <= 0:
            del self._busy[uid]
            self.wake(uid)

    def is_quiet(self, uid: str) -> bool:
        """Tell whether nothing goes on here for a session."""
        return uid not in self._busy

    def wake(self, uid: str) -> None:
        """Tell those who wait for something to happen to a session."""
        for waiting in self._waiting.pop(uid, []):
            waiting.callback(None)

    async def news(self, uid: str) -> None:
        """Wait until a session has become quiet here, or for a moment."""
        waiting: Deferred[None] = Deferred()
        self._waiting.setdefault(uid, []).append(waiting)
        poll = self.clock.callLater(POLL, self.wake, uid)
        try:
            await waiting
        finally:
            if poll.active():
                poll.cancel()
            own = self._waiting.get(uid, [])
            if waiting in own:
                own.remove(waiting)


def _once(session: Session, key: str) -> str:
    """Give the key of an event that says that something has happened to a session."""
    return f"fire/{session.token}/{key}"


def _events_of(
    session: Session, effects: Effects, types: Types
) -> list[tuple[str, float, dict[str, Any]]]:
    """Give the key, the delay and the content of the events that effects call for."""
    uid, token = session.uid, session.token
    events: list[tuple[str, float, dict[str, Any]]] = []
    for ready in effects.ready:
        body = {"do": "run", "uid": uid, "instance": ready.instance, "attempt": ready.attempt}
        key = f"session/{token}/{ready.instance}/{ready.attempt}"
        events.append((key, ready.delay, {**body, "types": list(types)}))
    for deadline in effects.deadlines:
        body = {"do": "overdue", "uid": uid, "instance": deadline.instance}
        events.append((f"session/{token}/{deadline.instance}/overdue", deadline.delay, body))
    for timer in effects.timers:
        body = {"do": "due", "uid": uid, "timer": timer.name}
        events.append((f"session/{token}/timer/{timer.name}", timer.delay, body))
    for relay in effects.relays:
        body = {"do": "hear", "uid": relay.uid, "trigger": relay.trigger, "kwargs": relay.kwargs}
        mark = blake2b(f"{relay.uid}\n{relay.trigger}".encode(), digest_size=12).hexdigest()
        key = f"session/{token}/relay/{mark}/{relay.number}"
        events.append((key, 0.0, {**body, "number": relay.number}))
    return events


def _triggers_of(store: Any) -> ITriggerStore:
    found = getattr(store, "triggers", None)
    if found is None:
        raise StoreWithoutTriggers(store)
    return found  # type: ignore[no-any-return]


def hub_of(dispatcher: DurableDispatcher, handle: Callable[[Hub, Event], Awaitable[None]]) -> Hub:
    """
    Give the hub of a dispatcher, made when it is first asked for.

    :raises InvalidSession: when it is no durable dispatcher.
    """
    if not hasattr(dispatcher, "backstage"):
        raise InvalidSession(
            f"trigger sessions need a DurableDispatcher, which has a store, unlike {dispatcher!r}"
        )
    hub = getattr(dispatcher, _ATTRIBUTE, None)
    if hub is None:
        hub = Hub(dispatcher, handle)
        setattr(dispatcher, _ATTRIBUTE, hub)
    return hub
