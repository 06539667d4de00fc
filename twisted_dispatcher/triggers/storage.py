"""`TriggerStorage`: a session as it was when it was loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import isawaitable
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from twisted_dispatcher.durable.codec import Codec
from twisted_dispatcher.errors import InvalidSession, UnknownSession
from twisted_dispatcher.triggers.configuration import LONGEST_NAME, TaskConfig
from twisted_dispatcher.triggers.configuring import checked
from twisted_dispatcher.triggers.hub import Hub
from twisted_dispatcher.triggers.instances import TaskInstance
from twisted_dispatcher.triggers.running import install
from twisted_dispatcher.triggers.session import Instance, Session


class Decoded(Mapping[str, Any]):
    """A mapping of texts of the codec, each read when it is asked for."""

    def __init__(self, texts: Mapping[str, str], codec: Codec) -> None:
        self._texts = texts
        self._codec = codec

    def __getitem__(self, name: str) -> Any:
        return self._codec.decode(self._texts[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def __repr__(self) -> str:
        return repr(dict(self))


class TriggerStorage:
    """
    What is known of a session here: a snapshot.

    `load` takes a new one; what is done through a manager of this storage is in it at once. It is
    read here, and changed by managers alone.

    :ivar uid: names the session; ``namespace/name`` in a namespace.
    """

    def __init__(self, uid: str, dispatcher: Any = None) -> None:
        """
        :param dispatcher: a `DurableDispatcher`; by default the utility that is registered for
            `IEventDispatcher` with zope.component.
        :raises InvalidSession: when the uid cannot be one, or there is no dispatcher.
        :raises StoreWithoutTriggers: when the dispatcher's store keeps no sessions.
        """
        self.uid = check_uid(uid)
        self.dispatcher = _the_utility() if dispatcher is None else dispatcher
        self.hub: Hub = install(self.dispatcher)
        self._session: Session | None = None
        self._instances: dict[str, Instance] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.uid!r}>"

    def load(self) -> Deferred[TriggerStorage]:
        """
        Take a new snapshot, of everything.

        :return: a Deferred that fires with the storage. It fails with `UnknownSession`, unless
            there is a default configuration: that is shown then, and nothing else.
        """
        return Deferred.fromCoroutine(self._load())

    async def _load(self) -> TriggerStorage:
        try:
            row, rows = await self.hub.store.session(self.uid)
            session = self.hub.forms.read(row, rows)
        except UnknownSession:
            if not self.has_default:
                raise
            session = Session(self.uid, "")
        if self.has_default and not session.config.tasks:
            tasks = checked(self.hub, self.uid, await self.default_configuration())
            session = attrs.evolve(session, config=session.config.with_tasks(tasks))
        self._instances = dict(session.instances)
        self._session = session
        return self

    def _load_default_configuration(self) -> Any:
        """
        Override it: give the configuration of a session that has none. It may be waited for.

        It is stored by the first fire, or with what `update_configuration` adds to it. Such a
        session is there before anything has happened to it.
        """
        return None

    @property
    def has_default(self) -> bool:
        """Whether the class has a default configuration."""
        own = type(self)._load_default_configuration
        return own is not TriggerStorage._load_default_configuration

    async def default_configuration(self) -> Mapping[str, Any]:
        """Give the default configuration; an empty one where there is none."""
        found = self._load_default_configuration()
        if isawaitable(found):
            found = await found
        return {} if found is None else found

    def take(self, session: Session) -> None:
        """Take in what is known of the session since something has happened to it."""
        # In place: copying thousands of them would cost more than all the rest.
        self._instances.update(session.instances)
        self._session = session.with_instances(self._instances)

    # The snapshot

    @property
    def session(self) -> Session:
        """The values of the snapshot; those of an empty session before the first one."""
        return self._session or Session(self.uid, "")

    @property
    def tasks(self) -> Mapping[str, TaskConfig]:
        """The configuration, by task."""
        return self.session.config.tasks

    @property
    def instances(self) -> dict[str, TaskInstance]:
        """The instances, by name."""
        return {name: self._seen(each) for name, each in list(self.session.instances.items())}

    @property
    def latest_kwargs(self) -> Mapping[str, Any]:
        """What each trigger that has fired was fired with last."""
        return Decoded(self.session.latest, self.hub.codec)

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What was noted about the session."""
        return Decoded(self.session.metadata, self.hub.codec)

    def _seen(self, instance: Instance) -> TaskInstance:
        return self.hub.instance_of(instance, self.session)

    def __getitem__(self, name: str) -> TaskInstance:
        """Give an instance by its name."""
        return self._seen(self.session.instances[name])

    def __contains__(self, name: object) -> bool:
        return name in self.session.instances

    def __iter__(self) -> Iterator[TaskInstance]:
        return iter(self.instances.values())

    def __len__(self) -> int:
        return len(self.session.instances)

    def instances_of_task(self, task: str | TaskConfig) -> dict[str, TaskInstance]:
        """Give the instances of a task by name; none of one that nobody knows."""
        name = task.name if isinstance(task, TaskConfig) else task
        return {each.name: each for each in self if each.task_name == name}

    def get_unresolved_tasks(self) -> list[TaskConfig]:
        """Give the tasks without an instance, and those with one that is not resolved."""
        return self.session.unresolved_tasks()

    def get_unresolved_instances(self) -> list[TaskInstance]:
        """Give the instances that are not resolved."""
        return [each for each in self if not each.is_resolved]

    def get_instances_with_unresolved_logs(self) -> list[TaskInstance]:
        """Give the instances that have logged errors which nobody has marked as resolved."""
        return [each for each in self if not each.logs_resolved]

    def debug_repr(self) -> dict[str, Any]:
        """Give all of it as plain data."""
        return {
            "tasks": {name: task.directives() for name, task in self.tasks.items()},
            "instances": {each.name: each.plain() for each in self},
            "metas": {
                "latest_kwargs": dict(self.latest_kwargs),
                "metadata": dict(self.metadata),
            },
        }


def check_uid(uid: object) -> str:
    """
    Give a uid back if it can be one.

    :raises InvalidSession: a TypeError, when it cannot.
    """
    if not isinstance(uid, str) or not uid or not uid.isprintable() or len(uid) > LONGEST_NAME:
        raise InvalidSession(
            f"a session's uid is a printable text of 1 to {LONGEST_NAME} characters, not {uid!r}"
        )
    return uid


def _the_utility() -> Any:
    cure = "register it as a utility: provideUtility(dispatcher, IEventDispatcher)"
    try:
        from zope.component import queryUtility
    except ImportError:
        raise InvalidSession(
            f"give the dispatcher, or install zope.component and {cure}"
        ) from None
    from twisted_dispatcher.interfaces import IEventDispatcher

    found = queryUtility(IEventDispatcher)
    if found is None:
        raise InvalidSession(f"give the dispatcher, or {cure}")
    return found
