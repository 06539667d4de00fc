"""The setting, and the URLs of databases."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.test import SimpleTestCase, override_settings
from psycopg.conninfo import conninfo_to_dict

from tests.django_project.checks.recording import SourcesMixin
from twisted_dispatcher import HandlerOptions
from twisted_dispatcher.django import databases, registry
from twisted_dispatcher.django.api import register_group_handler
from twisted_dispatcher.django.conf import BadSetting, Conf, conf, read
from twisted_dispatcher.django.databases import UnsuitableDatabase, store_url
from twisted_dispatcher.errors import InvalidOptions, InvalidSource, NameTaken, NotCallable
from twisted_dispatcher.runners.threads import ThreadRunner


class SettingTests(SimpleTestCase):
    """Reading the setting."""

    def test_defaults(self) -> None:
        """Everything may be left out."""
        self.assertEqual((Conf(), {}), read({}))
        self.assertEqual("default", Conf().database)
        self.assertEqual("here", Conf().run)

    @override_settings(
        TWISTED_DISPATCHER={
            **{"RUN": "at-once", "ORDER_BY": ["group"], "THREADS": 2},
            **{"KEEP_KEYS": 9, "KEEP_PAYLOADS": 9},
        }
    )
    def test_given(self) -> None:
        """What is given is what counts, also when it changes."""
        found = conf()

        self.assertEqual(("at-once", ("group",)), (found.run, found.order_by))
        self.assertEqual((9, 2), (found.keep_keys, found.threads))
        with self.settings(TWISTED_DISPATCHER={}):
            self.assertEqual(Conf(), conf())

    def test_wrong(self) -> None:
        """All that is wrong is said at once, by name."""
        wrong = {
            "DATABASE": "",
            "RUN": "somewhere",
            "ORDER_BY": "group",
            "SETUP": "no path",
            "LEASE": 0,
            "DRAIN": "7",
            "BURY_AFTER": -1,
            "KEEP_PAYLOADS": float("nan"),
            "KEEP_KEYS": True,
            "THREADS": 1.5,
            "TIMEOUT": None,
            "MAILS_CONTEXT": 7,
            "COLOUR": "red",
        }
        with self.settings(TWISTED_DISPATCHER=wrong), self.assertRaises(BadSetting) as caught:
            conf()

        self.assertEqual(wrong.keys(), caught.exception.problems.keys())
        self.assertIsInstance(caught.exception, ImproperlyConfigured)
        for name in wrong:
            self.assertIn(name, str(caught.exception))

    def test_too_long(self) -> None:
        """Seconds that nobody can wait for are refused as others are."""
        for seconds in (10**400, float("inf")):
            with self.settings(TWISTED_DISPATCHER={"LEASE": seconds}):
                self.assertRaises(BadSetting, conf)

    def test_forgetful(self) -> None:
        """Keys are not forgotten before payloads: no worker would start."""
        for wrong in ({"KEEP_KEYS": 9}, {"KEEP_KEYS": 9, "KEEP_PAYLOADS": 10}):
            found, problems = read(wrong)
            self.assertEqual((Conf(), {"KEEP_KEYS"}), (found, set(problems)))
            self.assertIn("give KEEP_PAYLOADS", problems["KEEP_KEYS"])
        self.assertEqual({}, read({"KEEP_KEYS": 9, "KEEP_PAYLOADS": 9})[1])
        self.assertEqual({}, read({"KEEP_PAYLOADS": 9})[1])

    def test_no_mapping(self) -> None:
        """What is no mapping is refused."""
        with self.settings(TWISTED_DISPATCHER=["here"]):
            self.assertRaises(BadSetting, conf)


class DatabasesTests(SimpleTestCase):
    """By which URL the store opens a database of Django's."""

    def url_of(self, vendor: str, **settings: Any) -> str:
        """Give the URL for the settings of a database."""
        given = {
            **{"NAME": "", "USER": "", "PASSWORD": "", "HOST": "", "PORT": "", "OPTIONS": {}},
            **settings,
        }
        connection = mock.Mock(vendor=vendor, settings_dict=given, alias="default")
        connection.is_in_memory_db.return_value = given["NAME"] == ":memory:"
        with mock.patch.object(databases, "connections", {"default": connection}):
            return store_url("default")

    def parameters_of(self, **settings: Any) -> dict[str, Any]:
        """Give what a driver reads from the URL of a database on PostgreSQL."""
        return dict(conninfo_to_dict(self.url_of("postgresql", **settings)))

    def test_file(self) -> None:
        """A file of SQLite has its path in the URL, absolute or relative."""
        self.assertEqual("sqlite:////a b/c.db", self.url_of("sqlite", NAME=Path("/a b/c.db")))
        self.assertEqual("sqlite:///c.db", self.url_of("sqlite", NAME="c.db"))

    def test_in_memory(self) -> None:
        """What is in memory can be shared with nobody."""
        for name in (":memory:", "file:memorydb_default?mode=memory&cache=shared"):
            with self.assertRaises(UnsuitableDatabase) as caught:
                self.url_of("sqlite", NAME=name)
            self.assertIn("at-once", str(caught.exception))

    def test_other_kinds(self) -> None:
        """Events live on PostgreSQL or SQLite, and nowhere else."""
        with self.assertRaises(UnsuitableDatabase) as caught:
            self.url_of("mysql", NAME="club")
        self.assertIn("DATABASE", str(caught.exception))

    def test_server(self) -> None:
        """The URL of a server has all that Django connects with, whatever letters it has."""
        found = self.parameters_of(
            NAME="the club/ü",
            USER="ada@home",
            PASSWORD="p@ss:w/rd?&=%",
            HOST="db.example",
            PORT=5433,
            OPTIONS={"sslmode": "require", "options": "-csearch_path=a,b", "isolation_level": 2},
        )

        self.assertEqual(
            {
                "dbname": "the club/ü",
                "user": "ada@home",
                "password": "p@ss:w/rd?&=%",
                "host": "db.example",
                "port": "5433",
                "sslmode": "require",
                "options": "-csearch_path=a,b",
            },
            found,
        )

    def test_sockets_and_services(self) -> None:
        """A directory of sockets, and a service that libpq knows, are passed on."""
        self.assertEqual(
            {"host": "/run/sock", "dbname": "club"},
            self.parameters_of(NAME="club", HOST="/run/sock"),
        )
        self.assertEqual(
            {"service": "club"}, self.parameters_of(OPTIONS={"service": "club", "pool": True})
        )

    def test_role(self) -> None:
        """The role that Django takes is taken."""
        found = self.parameters_of(NAME="club", OPTIONS={"assume_role": "clerk"})

        self.assertEqual({"dbname": "club", "options": "-crole=clerk"}, found)

    def test_here(self) -> None:
        """The database of these tests is the one that tests have, not the project's own."""
        name = connections["default"].settings_dict["NAME"]

        self.assertIn("test", str(name))
        self.assertIn(str(name), store_url())


async def waits(event: Any) -> None:
    """Be a handler that waits."""


class Callable:
    """A handler that is an object, and waits."""

    async def __call__(self, event: Any) -> None:
        """Wait."""


def plain(event: Any) -> None:
    """Be a plain handler."""


def with_transaction(event: Any, transaction: Any) -> None:
    """Be an exactly-once handler."""


HEAVY = HandlerOptions(runner="heavy")
EXACTLY_ONCE = HandlerOptions(guarantee="exactly-once")


class HandlersTests(SourcesMixin, SimpleTestCase):
    """Registering handlers of groups."""

    def runner_of(self, handler: Any, **options: Any) -> Any:
        """Give the runner that a handler gets."""
        given = HandlerOptions(**options) if options else None
        register_group_handler(handler=handler, group="^a", options=given)
        return registry.options_of(registry.GROUP_HANDLERS.pop()).runner

    def test_runners(self) -> None:
        """A plain function runs in a thread, what waits in the reactor's, and else as asked."""
        self.assertEqual("thread", self.runner_of(plain))
        self.assertEqual("thread", self.runner_of(plain, timeout=3))
        self.assertEqual("thread", self.runner_of(partial(plain)))
        self.assertEqual("reactor", self.runner_of(waits))
        self.assertEqual("reactor", self.runner_of(partial(waits)))
        self.assertEqual("reactor", self.runner_of(Callable()))
        heavy = ThreadRunner()
        self.assertIs(heavy, self.runner_of(plain, runner=heavy))
        self.assertEqual("reactor", self.runner_of(with_transaction, guarantee="exactly-once"))

    def test_misuse(self) -> None:
        """What cannot be registered is refused at once."""
        for error, wrong in (
            (InvalidSource, {"handler": plain, "group": "("}),
            (InvalidSource, {"handler": plain, "group": b"a"}),
            (NotCallable, {"handler": 7, "group": "a"}),
            (InvalidOptions, {"handler": plain, "group": "a", "options": {"timeout": 3}}),
            (InvalidOptions, {"handler": lambda event: None, "group": "a"}),
            (InvalidOptions, {"handler": plain, "group": "a", "options": HEAVY}),
            (InvalidOptions, {"handler": waits, "group": "a", "options": EXACTLY_ONCE}),
        ):
            given: Any = wrong
            self.assertRaises(error, register_group_handler, **given)
        self.assertEqual([], registry.GROUP_HANDLERS)

    def test_twice(self) -> None:
        """A handler that no other could be told from is refused, since no worker would start."""
        register_group_handler(handler=plain, group="^a")
        register_group_handler(handler=plain, group="^b")
        register_group_handler(handler=plain, group="^b", options=HandlerOptions(name="again"))

        with self.assertRaises(NameTaken):
            register_group_handler(handler=plain, group="^b")
        in_memory = HandlerOptions(durable=False)
        register_group_handler(handler=plain, group="^b", options=in_memory)
        self.assertEqual(4, len(registry.GROUP_HANDLERS))

    def test_entered(self) -> None:
        """A worker gets what is registered, in order, and is told of what comes later."""
        sources, later = mock.Mock(), mock.Mock()
        register_group_handler(handler=plain, group="^a")
        register_group_handler(handler=waits, group="b")

        registry.enter(sources, later)
        register_group_handler(handler=plain, group="c")
        registry.leave(later)
        register_group_handler(handler=plain, group="d")

        entered = [call.args for call in sources.enter_group_handler.mock_calls]
        self.assertEqual([plain, waits], [handler for handler, *_ in entered])
        self.assertEqual(["^a", "b"], [group.pattern for _, group, *_ in entered])
        self.assertEqual([__file__, __file__], [place[0] for *_, place in entered])
        self.assertEqual(["c"], [call.args[0].group.pattern for call in later.mock_calls])
