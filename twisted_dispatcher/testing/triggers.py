"""
A trigger session whose time is yours, and assertions on what its tasks came to.

::

    class SurveyTests(TriggerAssertions, SynchronousTestCase):
        def test_imports(self):
            self.open_session(configuration=load_configuration("survey.toml"))
            self.fire("firstPageReceived", {"responses": {"name": "Ada"}})
            self.assertInstanceUnstarted("t_import#0")
            self.fire("questionnaireComplete")
            self.let_run()
            self.assertInstanceFinished("t_import#0", {"subject": "Ada"})

There is no thread, no real time, and no file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from twisted_dispatcher.testing.clocked import pump
from twisted_dispatcher.testing.durable import clocked_durable_dispatcher
from twisted_dispatcher.triggers import TaskInstance, storage_backends, trigger_managers
from twisted_dispatcher.triggers.statuses import (
    ABANDONED,
    FAILED,
    FINISHED,
    REPLAYED,
    SKIPPED,
    UNSTARTED,
)

T = TypeVar("T")

# So many seconds of the clock may pass before an answer that takes no time counts as missing.
SOON = 3600.0
ANYTHING = object()


class TriggerAssertions:
    """
    A mixin for a test case about one session, `manager`, whose time is `clock`.

    Each assertion reads the session from its store first, so that it never judges an old copy.
    """

    clock: Clock
    dispatcher: Any
    manager: Any

    def open_session(
        self,
        uid: str = "session",
        manager: str = "default",
        *,
        configuration: Mapping[str, Any] | None = None,
        dispatcher: Any = None,
        clock: Clock | None = None,
        **options: Any,
    ) -> Any:
        """
        Open a session, and give its manager, which is `self.manager` from now on.

        :param manager: the name of a manager among `trigger_managers`.
        :param dispatcher: one from before, with its clock; by default a new one with a store in
            memory, made with the options of `clocked_durable_dispatcher`.
        """
        if dispatcher is None:
            dispatcher, clock = clocked_durable_dispatcher(clock=clock, **options)
        elif clock is None:
            raise TypeError("give the clock that the dispatcher goes by as well: clock=...")
        self.dispatcher, self.clock = dispatcher, clock
        self.manager = trigger_managers.get(
            manager, storage_backends.get("default", uid, dispatcher)
        )
        if configuration is not None:
            self.wait(self.manager.update_configuration(configuration))
        return self.manager

    def wait(self, deferred: Deferred[T], limit: float = SOON) -> T:
        """Let time pass until a Deferred fires, and give its result."""
        return pump(self.clock, deferred, limit)

    def fire(self, trigger: str, kwargs: Mapping[str, Any] | None = None) -> None:
        """Fire a trigger; once this returns, it is stored."""
        self.wait(self.manager.fire(trigger, kwargs))

    def let_run(self, limit: float = 366 * 86400.0) -> None:
        """Let time pass until nothing of the session is scheduled or running any more."""
        self.wait(self.manager.join_all(), limit)

    def instance(self, name: str) -> TaskInstance:
        """Give an instance as it stands now; fails when there is none of that name."""
        storage = self.wait(self.manager.storage.load())
        if name not in storage.instances:
            known = ", ".join(sorted(storage.instances)) or "no instance at all"
            self._fail(f"there is no instance {name}; there is {known}")
        found: TaskInstance = storage.instances[name]
        return found

    # Assertions

    def assertInstanceStatus(self, name: str, status: str) -> TaskInstance:
        """Fail unless an instance has the status; give the instance."""
        instance = self.instance(name)
        if instance.status != status:
            self._fail(f"{name} is {instance.status}, not {status}", instance)
        return instance

    def assertInstanceFinished(self, name: str, result: Any = ANYTHING) -> None:
        """Fail unless an instance has finished, with the result if one is given."""
        instance = self.assertInstanceStatus(name, FINISHED)
        if result is not ANYTHING and instance.metadata.get("result") != result:
            self._fail(f"{name} did not finish with {result!r}", instance)

    def assertInstanceFailed(self, name: str, *errors: type[BaseException]) -> None:
        """Fail unless an instance has failed, with one of the errors if any are given."""
        self._check_error(self.assertInstanceStatus(name, FAILED), errors)

    def assertInstanceReplayed(self, name: str, *errors: type[BaseException]) -> None:
        """Fail unless an instance was replayed, after one of the errors if any are given."""
        self._check_error(self.assertInstanceStatus(name, REPLAYED), errors)

    def assertInstanceSkipped(self, name: str) -> None:
        """Fail unless an instance was skipped."""
        self.assertInstanceStatus(name, SKIPPED)

    def assertInstanceAbandoned(self, name: str) -> None:
        """Fail unless an instance was abandoned."""
        self.assertInstanceStatus(name, ABANDONED)

    def assertInstanceUnstarted(self, name: str) -> None:
        """Fail unless an instance waits for triggers."""
        self.assertInstanceStatus(name, UNSTARTED)

    def assertInstanceMissing(self, name: str) -> None:
        """Fail if there is an instance of that name."""
        storage = self.wait(self.manager.storage.load())
        if name in storage.instances:
            self._fail(f"there is an instance {name}", storage.instances[name])

    def assertUnresolvedTasks(self, names: Iterable[str]) -> None:
        """Fail unless exactly these tasks have no instance, or one that is not resolved."""
        self.wait(self.manager.storage.load())
        tasks = self.manager.get_unresolved_tasks()
        self._compare("unresolved tasks", (task.name for task in tasks), names)

    def assertUnresolvedInstances(self, names: Iterable[str]) -> None:
        """Fail unless exactly these instances are not resolved."""
        self.wait(self.manager.storage.load())
        instances = self.manager.get_unresolved_instances()
        self._compare("unresolved instances", (each.name for each in instances), names)

    def _check_error(
        self, instance: TaskInstance, errors: tuple[type[BaseException], ...]
    ) -> None:
        wanted = [f"{error.__module__}.{error.__qualname__}" for error in errors]
        if wanted and instance.metadata.get("exceptionType") not in wanted:
            self._fail(f"{instance.name} did not fail with {' or '.join(wanted)}", instance)

    def _compare(self, what: str, found: Iterable[str], wanted: Iterable[str]) -> None:
        given, expected = sorted(found), sorted(wanted)
        if given != expected:
            self._fail(f"the {what} are {given}, not {expected}")

    def _fail(self, message: str, instance: TaskInstance | None = None) -> None:
        lines = [message]
        if instance is not None:
            lines.append("its metadata:")
            lines += [f"  {key}: {value}" for key, value in sorted(instance.metadata.items())]
        raise getattr(self, "failureException", AssertionError)("\n".join(lines))
