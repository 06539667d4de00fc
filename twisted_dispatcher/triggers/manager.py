"""
`TriggerManager`: fires triggers, and mends what has failed.

Each method is one transaction; the Deferred that it gives fires when that is durable and what
became ready was handed over. From a task that runs in a thread the methods are called as well:
they wait there, and give a Deferred that has fired.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from functools import partial
from inspect import isawaitable
from typing import Any, ClassVar, Final, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.threads import blockingCallFromThread

from twisted_dispatcher.durable.keys import due_at
from twisted_dispatcher.errors import (
    InvalidKey,
    InvalidSession,
    UnknownInstance,
    UnknownTask,
)
from twisted_dispatcher.triggers.configuration import TaskConfig
from twisted_dispatcher.triggers.configuring import configure
from twisted_dispatcher.triggers.drawing import graph_of
from twisted_dispatcher.triggers.explaining import Explanation, explain
from twisted_dispatcher.triggers.facts import (
    Configure,
    Fact,
    Fire,
    FireLater,
    Note,
    NoteSession,
    Replay,
    ResolveLogs,
    SetStatus,
    Skip,
)
from twisted_dispatcher.triggers.hub import Outcome
from twisted_dispatcher.triggers.instances import TaskInstance
from twisted_dispatcher.triggers.registries import storage_backends, trigger_managers
from twisted_dispatcher.triggers.running import inside
from twisted_dispatcher.triggers.storage import TriggerStorage

# Room for what stands before it in the key of an event.
LONGEST_FIRE_KEY: Final = 400
# What may be the first to happen to a session that has a default configuration.
_BEGINNINGS: Final = (Configure, Fire, FireLater, NoteSession)

T = TypeVar("T")


class TriggerManager:
    """
    Manages one session.

    Whoever derives from it registers the class (`trigger_managers.register`, or an entry point),
    so that tasks in other processes get a manager of the same class.

    :cvar default_task_runner_name: for tasks without `using`.
    :cvar finalizing_trigger: fires once, when all tasks that do not wait for it are resolved.
    """

    default_task_runner_name: ClassVar[str] = "reactor"
    finalizing_trigger: ClassVar[str | None] = None

    def __init__(self, storage: TriggerStorage, create: bool = False) -> None:
        """:param create: a session that is not there is made by the first thing that happens."""
        self.storage = storage
        self._create = create
        self._hub = storage.hub
        self._types = (
            trigger_managers.name_for(type(self)),
            storage_backends.name_for(type(storage)),
        )
        self._pending = 0
        self._waiting: Deferred[None] | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.storage.uid!r}>"

    # What happens

    def update_configuration(self, configuration: Mapping[str, Any]) -> Deferred[None]:
        """
        Add tasks to the session, or replace them as a whole; other tasks stay.

        :param configuration: task names to directives.
        :return: a Deferred that fires when it is stored. It fails with `InvalidConfiguration`,
            which has all faults; nothing is stored then.
        """
        return self._do(self._update_configuration(configuration))

    async def _update_configuration(self, configuration: Mapping[str, Any]) -> None:
        fact = await configure(self._hub, self.storage.uid, configuration, self._types)
        await self.change(fact, create=True)

    def fire(
        self,
        trigger_name: str,
        trigger_kwargs: Mapping[str, Any] | None = None,
        *,
        at: datetime | float | None = None,
        key: str | None = None,
    ) -> Deferred[list[TaskInstance]]:
        """
        Fire a trigger.

        :param trigger_kwargs: what tasks are given under the trigger's name.
        :param at: when: an aware datetime, or seconds since the epoch; by default now.
        :param key: in this session it counts once for this key, whichever trigger it is, as long
            as the dispatcher keeps the keys of events. Who got no answer fires again with it.
        :return: a Deferred that fires with the instances that are run for it, when that is stored;
            with none when it had counted before. It fails with `UnknownSession`,
            `InvalidSession`, `InvalidKey` or `NotEncodable`, and with what `_post_fire` fails
            with.
        """
        return self._do(self._fire(trigger_name, trigger_kwargs, at, key))

    async def _fire(
        self,
        trigger: str,
        kwargs: Mapping[str, Any] | None,
        at: datetime | float | None,
        key: str | None,
    ) -> list[TaskInstance]:
        if not isinstance(trigger, str) or not trigger:
            raise InvalidSession(f"a trigger's name is a text that is not empty, not {trigger!r}")
        if key is not None and not (isinstance(key, str) and 0 < len(key) <= LONGEST_FIRE_KEY):
            raise InvalidKey(key, LONGEST_FIRE_KEY)
        text = self._hub.text_of(kwargs, "trigger_kwargs")
        fact: Fact = Fire(trigger, text)
        if at is not None:
            now = self._hub.clock.seconds()
            fact = FireLater(uuid.uuid4().hex, trigger, text, max(0.0, due_at(at, now) - now))
        outcome = await self._change(fact, once=key)
        if outcome is None:
            return []
        await self.after(outcome)
        names = outcome.effects.fired[0].scheduled if outcome.effects.fired else ()
        return [self._seen(name, outcome) for name in names]

    def replay_failed_instance(
        self,
        failed_instance: str | TaskInstance,
        replacement_kwargs: Mapping[str, Any] | None = None,
    ) -> Deferred[TaskInstance]:
        """
        Have a failed instance run again, by a new one whose parent it is.

        :param replacement_kwargs: by trigger; None: as they were; ``{}``: none.
        :return: a Deferred that fires with the new instance. It fails with `UnknownInstance` or
            `WrongInstanceStatus`.
        """
        return self._do(self._replay(failed_instance, replacement_kwargs))

    async def _replay(
        self, instance: str | TaskInstance, replacement: Mapping[str, Any] | None
    ) -> TaskInstance:
        kwargs = None if replacement is None else self._hub.texts_of(replacement)
        outcome = await self.change(Replay(_name_of(instance), kwargs))
        await self.after(outcome)
        made = self._about(outcome)
        await _wait(self._post_replay(made))
        return made

    def skip_failed_instance(
        self,
        failed_instance: str | TaskInstance,
        cascade: bool = False,
        result: Mapping[str, Any] | None = None,
    ) -> Deferred[TaskInstance]:
        """
        Give a failed instance up.

        :param cascade: whether its task's name is fired all the same, with `result`.
        :return: as of `replay_failed_instance`; the instance is the skipped one.
        """
        return self._do(self._skip(failed_instance, cascade, result))

    async def _skip(
        self, instance: str | TaskInstance, cascade: bool, result: Mapping[str, Any] | None
    ) -> TaskInstance:
        metadata = self._hub.texts_of({"cascade": cascade, "result": dict(result or {})})
        text = self._hub.text_of(result, "result")
        outcome = await self.change(Skip(_name_of(instance), cascade, text, metadata))
        await self.after(outcome)
        skipped = self._about(outcome)
        await _wait(self._post_skip(skipped, cascade))
        return skipped

    def update_instance_status(
        self,
        task_instance: str | TaskInstance,
        status: str,
        metadata: Mapping[str, Any] | None = None,
        cascade: bool = False,
        cascade_kwargs: Mapping[str, Any] | None = None,
    ) -> Deferred[TaskInstance]:
        """Set the status of an instance, whatever it was, and fire its task's name if asked."""
        return self._do(
            self._update_status(task_instance, status, metadata, cascade, cascade_kwargs)
        )

    async def _update_status(
        self,
        instance: str | TaskInstance,
        status: str,
        metadata: Mapping[str, Any] | None,
        cascade: bool,
        kwargs: Mapping[str, Any] | None,
    ) -> TaskInstance:
        if not isinstance(status, str) or not status:
            raise InvalidSession(f"a status is a text that is not empty, not {status!r}")
        text = self._hub.text_of(kwargs, "cascade_kwargs") if cascade else None
        fact = SetStatus(_name_of(instance), status, self._hub.texts_of(metadata or {}), text)
        outcome = await self.change(fact)
        await self.after(outcome)
        return self._about(outcome)

    def update_instance_metadata(
        self, task_instance: str | TaskInstance, metadata: Mapping[str, Any]
    ) -> Deferred[TaskInstance]:
        """Merge metadata into that of an instance."""
        return self._do(self._note(Note(_name_of(task_instance), self._hub.texts_of(metadata))))

    def mark_instance_logs_resolved(
        self, task_instance: str | TaskInstance
    ) -> Deferred[TaskInstance]:
        """Say that somebody has seen what an instance has logged."""
        return self._do(self._note(ResolveLogs(_name_of(task_instance))))

    async def _note(self, fact: Fact) -> TaskInstance:
        return self._about(await self.change(fact))

    def update_session_metadata(self, metadata: Mapping[str, Any]) -> Deferred[None]:
        """Merge metadata into that of the session."""
        return self._do(self._note_session(metadata))

    async def _note_session(self, metadata: Mapping[str, Any]) -> None:
        await self.change(NoteSession(self._hub.texts_of(metadata)))

    # What is asked

    def get_unresolved_tasks(self) -> list[TaskConfig]:
        """Give the tasks without an instance, and those with one that is not resolved."""
        return self.storage.get_unresolved_tasks()

    def get_unresolved_instances(self) -> list[TaskInstance]:
        """Give the instances of the snapshot that are not resolved."""
        return self.storage.get_unresolved_instances()

    def get_instances_with_unresolved_logs(self) -> list[TaskInstance]:
        """Give the instances of the snapshot with errors in their logs that nobody has seen."""
        return self.storage.get_instances_with_unresolved_logs()

    def why(self, task_name: str) -> Explanation:
        """
        Say why a task has not run, as of the snapshot.

        :raises UnknownTask: when the configuration has no such task.
        """
        task = self.storage.tasks.get(task_name)
        if task is None:
            raise UnknownTask(self.storage.uid, task_name)
        return explain(self.storage.session, task)

    def graph(self) -> str:
        """Draw the session as of the snapshot, as the text of a Mermaid flowchart."""
        return graph_of(self.storage)

    def join_all(self) -> Deferred[None]:
        """
        Wait until nothing of the session is scheduled or running any more, here or elsewhere.

        :return: a Deferred that fires then, when the storage has been loaded. It has no limit: a
            task may be scheduled for a far day. Cancelling it ends the wait.
        :raises ValueError: in a task or a hook of the session, which would wait for itself.
        """
        if self.storage.uid in inside.get():
            raise InvalidSession(
                f"join_all() would wait for the task or hook of session {self.storage.uid!r} that "
                "calls it: call it outside"
            )
        return Deferred.fromCoroutine(self._join_all())

    async def _join_all(self) -> None:
        hub, uid = self._hub, self.storage.uid
        while not (hub.is_quiet(uid) and not await hub.store.active(uid) and hub.is_quiet(uid)):
            await hub.news(uid)
        await self.storage.load()

    # Hooks

    def _post_fire(self, trigger_name: str, tasks_scheduled: Sequence[TaskInstance]) -> Any:
        """
        Override it: called after a trigger has fired, cascades included. It may be waited for.

        :param tasks_scheduled: the instances that are run for it.
        """

    def _post_replay(self, task_instance: TaskInstance) -> Any:
        """Override it: called after a replay, with the new instance. It may be waited for."""

    def _post_skip(self, task_instance: TaskInstance, cascade: bool) -> Any:
        """Override it: called after a skip from outside. It may be waited for."""

    # For running

    async def change(self, fact: Fact, *, create: bool = False) -> Outcome:
        """Let something happen to the session, and take it into the storage."""
        outcome = await self._change(fact, create=create)
        assert outcome is not None
        return outcome

    async def _change(
        self, fact: Fact, *, create: bool = False, once: str | None = None
    ) -> Outcome | None:
        """Do what `change` does, once for a key; None when that was before."""
        ask = partial(
            self._hub.change,
            self.storage.uid,
            fact,
            self._types,
            create=create or self._create,
            finalizing=self.finalizing_trigger,
            once=once,
        )
        if not (self.storage.has_default and isinstance(fact, _BEGINNINGS)):
            outcome = await ask()
        else:
            outcome = await self._change_with_default(ask)
        if outcome is not None:
            self.storage.take(outcome.session)
        return outcome

    async def _change_with_default(
        self, ask: Callable[..., Awaitable[Outcome | None]]
    ) -> Outcome | None:
        """Change the session; the default is only made where the session turns out to need it."""
        try:
            return await ask(default=_want)
        except _DefaultWanted:
            default = await self.storage.default_configuration()
        if not default:
            return await ask()
        fact = await configure(self._hub, self.storage.uid, default, self._types)
        return await ask(default=lambda: fact)

    async def after(self, outcome: Outcome) -> None:
        """Call `_post_fire` for every trigger that has fired."""
        for fired in outcome.effects.fired:
            scheduled = [self._seen(name, outcome) for name in fired.scheduled]
            await _wait(self._post_fire(fired.trigger, scheduled))

    async def settled(self) -> None:
        """Wait for all that was asked of this manager and has not been done yet."""
        while self._pending:
            self._waiting = Deferred()
            await self._waiting

    def _do(self, doing: Coroutine[Any, Any, T]) -> Deferred[T]:
        """Do something, in the reactor's thread."""
        if self._hub.is_elsewhere:
            from twisted.internet import reactor

            call: Any = blockingCallFromThread
            return succeed(call(reactor, self._begin, doing))
        return self._begin(doing)

    def _begin(self, doing: Coroutine[Any, Any, T]) -> Deferred[T]:
        self._hub.enter(self.storage.uid)
        self._pending += 1
        return Deferred.fromCoroutine(doing).addBoth(self._done)

    def _done(self, result: T) -> T:
        self._pending -= 1
        self._hub.leave(self.storage.uid)
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)
        return result

    def _seen(self, name: str, outcome: Outcome) -> TaskInstance:
        return self._hub.instance_of(outcome.session.instances[name], outcome.session)

    def _about(self, outcome: Outcome) -> TaskInstance:
        instance = outcome.effects.instance
        assert instance is not None
        return self._hub.instance_of(instance, outcome.session)


class _DefaultWanted(Exception):
    """A session has no tasks."""


def _want() -> Configure:
    raise _DefaultWanted


def _name_of(instance: Any) -> str:
    name = instance.name if isinstance(instance, TaskInstance) else instance
    if not isinstance(name, str):
        raise UnknownInstance("?", name)
    return name


async def _wait(value: Any) -> None:
    if isawaitable(value):
        await value
