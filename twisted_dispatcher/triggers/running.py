"""
Running tasks: what is done with the events that the hub's sessions have accepted.

An instance is started (one transaction), its code is called, and what that came to is stored with
all that follows from it (one transaction). A delivery that comes twice finds the instance at its
end and does nothing. A worker that was taken for dead has an older attempt, and ends nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from inspect import isawaitable
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.task import deferLater
from twisted.logger import Logger

from twisted_dispatcher.durable.current import current_delivery
from twisted_dispatcher.durable.dispatcher import DurableDispatcher
from twisted_dispatcher.errors import (
    StoreClosed,
    StoreUnavailable,
    TaskTimeout,
    UnknownInstance,
    UnknownSession,
    UnknownTask,
    UnknownType,
    WorkerDied,
)
from twisted_dispatcher.events import Event
from twisted_dispatcher.triggers.configuration import TaskConfig
from twisted_dispatcher.triggers.context import TaskContext
from twisted_dispatcher.triggers.facts import (
    Due,
    Fact,
    GiveBack,
    Hear,
    Overdue,
    Start,
)
from twisted_dispatcher.triggers.hub import Hub, Outcome, hub_of
from twisted_dispatcher.triggers.merging import merge_dict_recursive
from twisted_dispatcher.triggers.outcomes import CameTo, failure_of
from twisted_dispatcher.triggers.registries import (
    storage_backends,
    task_runners,
    trigger_managers,
)
from twisted_dispatcher.triggers.rules import MOST_DEATHS
from twisted_dispatcher.triggers.session import Instance
from twisted_dispatcher.triggers.statuses import RUNNING
from twisted_dispatcher.triggers.tasks import load_task

# What the store could not be told is told again after so many seconds.
AGAIN: Final = 1.0
REACTOR: Final = "reactor"

# The sessions of which a task or a hook is being run by the caller.
inside: ContextVar[frozenset[str]] = ContextVar("twisted_dispatcher.sessions", default=frozenset())

_log = Logger()


def install(dispatcher: DurableDispatcher, *, expire_after: float | None = None) -> Hub:
    """
    Have a dispatcher run the tasks of trigger sessions. Doing it again is harmless.

    Whoever makes a storage has done it. A process that only works calls it before `start`.

    :param expire_after: sessions of the store to which nothing has happened for so many seconds
        are deleted, but for those in which something goes on. By default all are kept.
    :raises InvalidSession: when that is not a number above 0, or the dispatcher is not durable.
    """
    hub = hub_of(dispatcher, _handle)
    if expire_after is not None:
        hub.expire(expire_after)
    return hub


async def _handle(hub: Hub, event: Event) -> None:
    body = event.context
    uid = body["uid"]
    hub.enter(uid)
    token = inside.set(inside.get() | {uid})
    try:
        if body["do"] == "run":
            types = (body["types"][0], body["types"][1])
            await _Run(hub, uid, body["instance"], types).run(body["attempt"])
        else:
            await _tell(hub, uid, _fact_of(body))
    except (UnknownSession, UnknownInstance) as error:
        _log.warn("A trigger event came too late: {error}", error=str(error))
    finally:
        # One that is thrown away, because its process ends, ends in another context.
        with suppress(ValueError):
            inside.reset(token)
        hub.leave(uid)


def _fact_of(body: Mapping[str, Any]) -> Fact:
    if body["do"] == "hear":
        return Hear(body["trigger"], body["kwargs"], body["number"])
    if body["do"] == "due":
        return Due(body["timer"])
    return Overdue(body["instance"])


async def _tell(hub: Hub, uid: str, fact: Fact) -> None:
    """Let something happen to a session, in the name of whoever has configured it."""
    row, rows = await hub.store.session(uid, live=True)
    manager = _manager_of(hub, uid, hub.forms.read(row, rows).types)
    await _hooks(manager, await manager.change(fact))


def _manager_of(hub: Hub, uid: str, types: tuple[str, str]) -> Any:
    storage = storage_backends.get(types[1], uid, hub.dispatcher)
    return trigger_managers.get(types[0], storage)


async def _hooks(manager: Any, outcome: Outcome) -> None:
    """Call the hooks of what has been stored; that they fail changes nothing about it."""
    try:
        await manager.after(outcome)
    except CancelledError:
        raise
    except Exception:
        _log.failure("A hook of session {uid} has failed", uid=manager.storage.uid)


class _Run:
    """One run of an instance."""

    def __init__(self, hub: Hub, uid: str, name: str, types: tuple[str, str]) -> None:
        self._hub = hub
        self._uid = uid
        self._name = name
        self._manager = _manager_of(hub, uid, types)

    async def run(self, earlier: int) -> None:
        """Run it, unless that was done already. `earlier`: the attempts before this delivery."""
        attempt = earlier + current_delivery().attempt
        started = await self._manager.change(
            Start(self._name, attempt, self._merge, failure_of(_died(self._name), self._hub.codec))
        )
        instance = started.effects.instance
        if instance is None:
            return
        if instance.status != RUNNING:
            await _hooks(self._manager, started)
            return
        try:
            fact = await self._come_to(instance, started.session.config.tasks.get(instance.task))
        except CancelledError:
            self._give_back(attempt)
            raise
        ended = await self._store(fact)
        if ended.effects.changed:
            await _hooks(self._manager, ended)
        else:
            _log.warn("Instance {name} was taken over by another worker", name=self._name)

    def _merge(self, config: TaskConfig | None, kwargs: Mapping[str, str]) -> str:
        given = {name: self._hub.codec.decode(text) for name, text in kwargs.items()}
        params = {} if config is None else config.with_params
        return self._hub.codec.encode(merge_dict_recursive(params, given))

    # The task itself

    async def _come_to(self, instance: Instance, config: TaskConfig | None) -> Fact:
        """Run the code of the task, and give what it came to."""
        hub, manager = self._hub, self._manager
        kwargs = hub.codec.decode(instance.metadata["actualKwargs"])
        seen = manager.storage[instance.name]
        context = TaskContext(manager, seen, kwargs)
        came_to = CameTo(instance, self._uid, hub.codec, context.meter)
        try:
            if config is None:
                raise UnknownTask(self._uid, instance.task)
            result = await self._call(config, context)
            await manager.settled()
            return came_to.result(result)
        except CancelledError as error:
            if not hub.dispatcher.running:
                raise
            return came_to.raised(error)
        except Exception as error:
            return came_to.raised(error)

    async def _call(self, config: TaskConfig, context: TaskContext) -> Any:
        task = load_task(config.run)
        name = config.using or self._manager.default_task_runner_name
        run = task if name == REACTOR else partial(runner_of(self._hub, name).run, task)
        value = run(context)
        if not isawaitable(value):
            return value
        return await self._in_time(value, config.timeout)

    async def _in_time(self, value: Awaitable[Any], timeout: float | None) -> Any:
        if not isinstance(value, Deferred):
            value = Deferred.fromCoroutine(value)  # type: ignore[arg-type]
        if timeout is None:
            return await value
        value.addTimeout(timeout, self._hub.clock)
        try:
            return await value
        except DeferredTimeout as error:
            raise TaskTimeout(
                f"instance {self._name!r} ran for longer than the {timeout:g} seconds of its "
                "task's 'timeout': raise that, or see what the task waits for"
            ) from error

    # Telling the store

    async def _store(self, fact: Fact) -> Outcome:
        """Store what a task came to, again and again: what it has done is not forgotten."""
        while True:
            try:
                outcome: Outcome = await self._manager.change(fact)
                return outcome
            except StoreClosed:
                raise
            except StoreUnavailable as error:
                _log.warn("{error}; it is told again", error=str(error))
            await deferLater(self._hub.clock, AGAIN)

    def _give_back(self, attempt: int) -> None:
        """Tell, if there is time for it, that nobody has died."""
        telling = Deferred.fromCoroutine(self._manager.change(GiveBack(self._name, attempt)))
        telling.addErrback(lambda failure: failure.trap(Exception) and None)


def _died(name: str) -> WorkerDied:
    return WorkerDied(
        f"the workers that ran instance {name!r} have died {MOST_DEATHS} times: see what the task "
        "does to its process, then replay it"
    )


def runner_of(hub: Hub, name: str) -> Any:
    """
    Give the runner of a name: one of the dispatcher's, or one that is registered.

    :raises UnknownType: when there is none.
    """
    found = hub.runner(name)
    return found if found is not None else task_runners.get(name)


def runner_fault(hub: Hub, name: Any) -> str | None:
    """Say what is wrong with the `using` of a configuration, or nothing."""
    if not isinstance(name, str):
        return f"'using' is the name of a task runner, not {name!r}"
    if name != REACTOR:
        with suppress(UnknownType):
            runner_of(hub, name)
            return None
        return f"'using': {UnknownType('task runner', name, [REACTOR, *task_runners.names()])}"
    return None
