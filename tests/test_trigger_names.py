"""What trigger sessions find by name: managers, storages, runners, and the code of tasks."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase
from zope.component import globalregistry, provideUtility
from zope.interface import implementer

from twisted_dispatcher import IEventDispatcher
from twisted_dispatcher.errors import InvalidSession, TaskNotImportable, UnknownType
from twisted_dispatcher.interfaces import IRunner, Listener
from twisted_dispatcher.testing import clocked_durable_dispatcher
from twisted_dispatcher.testing.triggers import TriggerAssertions
from twisted_dispatcher.triggers import (
    FinalizingTriggerManager,
    TriggerManager,
    TriggerStorage,
    storage_backends,
    task_runners,
    trigger_managers,
)
from twisted_dispatcher.triggers import registries as registries_module
from twisted_dispatcher.triggers.merging import merge_dict, merge_dict_recursive
from twisted_dispatcher.triggers.naming import named
from twisted_dispatcher.triggers.registries import TypeRegistry

PASS = "twisted_dispatcher.testing.tasks:PassThruTask"


@implementer(IRunner)
class CountingRunner:
    """Runs tasks at once, and counts them."""

    def __init__(self) -> None:
        self.runs = 0

    def run(self, handler: Listener, event: Any) -> Deferred[Any]:
        self.runs += 1
        return maybeDeferred(handler, event)


class PickyManager(TriggerManager):
    """A manager whose tasks have another runner by default."""

    default_task_runner_name = "counting"


class Point:
    """Stands in for an entry point."""

    def __init__(self, name: str, found: Any) -> None:
        self.name = name
        self._found = found

    def load(self) -> Any:
        """Give what it leads to."""
        return self._found


class RegistryTests(SynchronousTestCase):
    """Types by their names."""

    def setUp(self) -> None:
        """Have a registry over entry points that the test makes."""
        self.points: list[Point] = []
        self.asked: list[str] = []
        self.patch(registries_module, "entry_points", self.entry_points)
        self.registry = TypeRegistry("thing", "a.group")

    def entry_points(self, group: str) -> list[Point]:
        """Do what `importlib.metadata.entry_points` does."""
        self.asked.append(group)
        return list(self.points)

    def test_refresh(self) -> None:
        """Entry points are read once, and again after a refresh (T230, T232)."""
        self.assertRaises(UnknownType, self.registry.get, "late")
        self.points.append(Point("late", dict))
        self.assertRaises(UnknownType, self.registry.get, "late")

        self.registry.refresh()

        self.assertEqual(self.registry.get("late", a=1), {"a": 1})
        self.assertEqual(self.asked, ["a.group", "a.group"])

    def test_unknown(self) -> None:
        """An unknown name is told with those that there are."""
        self.registry.register("known", dict)

        error = self.assertRaises(UnknownType, self.registry.get, "other")

        self.assertIn("no thing is registered as 'other' (there are: known)", str(error))

    def test_decorator(self) -> None:
        """A type may be registered by a decorator, and then found by its name and as itself."""

        @self.registry.register("mine")
        class Mine:
            pass

        self.assertIsInstance(self.registry.get("mine"), Mine)
        self.assertEqual(self.registry.name_for(Mine), "mine")


class SettingsTests(TriggerAssertions, SynchronousTestCase):
    """Managers and storages that the settings of an application name."""

    def setUp(self) -> None:
        """Register a dispatcher as the utility."""
        self.addCleanup(globalregistry.base.__init__, "base")
        self.runner = CountingRunner()
        self.dispatcher, self.clock = clocked_durable_dispatcher(runners={"counting": self.runner})
        provideUtility(self.dispatcher, IEventDispatcher)

    def test_by_name(self) -> None:
        """Names lead to a storage on the utility, and to a manager of it (T220, T230)."""
        storage = storage_backends.get("default", "some session")
        manager = trigger_managers.get("finalizing", storage)

        self.assertIsInstance(storage, TriggerStorage)
        self.assertIs(storage.dispatcher, self.dispatcher)
        self.assertIsInstance(manager, FinalizingTriggerManager)
        self.assertIs(manager.storage, storage)

    def test_without_utility(self) -> None:
        """Without a dispatcher and without a utility a storage is refused, with the cure."""
        globalregistry.base.unregisterUtility(self.dispatcher, IEventDispatcher)

        error = self.assertRaises(InvalidSession, storage_backends.get, "default", "q:1")

        self.assertEqual(
            "give the dispatcher, or register it as a utility: "
            "provideUtility(dispatcher, IEventDispatcher)",
            str(error),
        )

    def test_what_comes_with_it(self) -> None:
        """What comes with the library is found by its names (T230)."""
        self.assertLessEqual({"default", "finalizing"}, {*trigger_managers.names()})
        self.assertIn("default", storage_backends.names())
        self.assertIn("thread", task_runners.names())

    def test_default_runner(self) -> None:
        """A manager's class says which runner tasks have, also those after a cascade (T068)."""
        trigger_managers.register("picky", PickyManager)
        configuration = {
            "t": {"after": ["go"], "run": PASS},
            "u": {"after": ["t"], "run": PASS},
            "v": {"after": ["t"], "using": "reactor", "run": PASS},
        }
        self.open_session(
            manager="picky",
            configuration=configuration,
            dispatcher=self.dispatcher,
            clock=self.clock,
        )
        self.fire("go")
        self.let_run()

        self.assertInstanceFinished("u#0")
        self.assertInstanceFinished("v#0")
        self.assertEqual(self.runner.runs, 2)

    def test_snapshot(self) -> None:
        """A storage stays as it was loaded until it is loaded again (T197)."""
        self.open_session(
            configuration={"t": {"after": ["go"], "run": PASS}},
            dispatcher=self.dispatcher,
            clock=self.clock,
        )
        other = storage_backends.get("default", self.manager.storage.uid)
        self.wait(other.load())
        self.fire("go")
        self.let_run()

        self.assertEqual(len(other), 0)
        self.assertEqual(self.wait(other.load())["t#0"].status, "finished")


class NameTests(SynchronousTestCase):
    """Code by its name, and merged mappings."""

    def test_named(self) -> None:
        """Both ways of writing a name lead to the same thing, also within a class (T258)."""
        for name in ("json.decoder:JSONDecoder", "json.decoder.JSONDecoder"):
            self.assertEqual(named(name).__name__, "JSONDecoder")
        self.assertEqual(named("json.decoder:JSONDecoder.decode").__name__, "decode")

    def test_not_named(self) -> None:
        """What leads nowhere is one error that says why (T258)."""
        for name in ("json", ":x", "json:", "no.such.module:x", "json:no_such_thing"):
            error = self.assertRaises(TaskNotImportable, named, name)
            self.assertIsInstance(error, (ImportError, ValueError))
            self.assertIn(repr(name), str(error))

    def test_merged(self) -> None:
        """Mappings are merged at their first level, or at all of them (T257)."""
        one, other = {"a": {"x": 1, "y": [1]}, "b": 1}, {"a": {"y": [2]}, "c": None}

        self.assertEqual(merge_dict(one, None, other), {"a": {"y": [2]}, "b": 1, "c": None})
        self.assertEqual(
            merge_dict_recursive(one, other), {"a": {"x": 1, "y": [2]}, "b": 1, "c": None}
        )
        self.assertEqual(merge_dict_recursive(None), {})
        self.assertEqual(one["a"], {"x": 1, "y": [1]})
