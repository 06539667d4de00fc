"""By which cursors events are recorded, and who sees it."""

from __future__ import annotations

import asyncio
from functools import partialmethod, wraps
from threading import Thread
from typing import Any
from unittest import mock

from django.apps import apps
from django.core.exceptions import SynchronousOnlyOperation
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections, transaction
from django.db.backends.utils import CursorWrapper
from django.db.transaction import TransactionManagementError
from django.test import TransactionTestCase
from django.test.utils import CaptureQueriesContext

from tests.django_project.checks.recording import FLUSHED, SourcesMixin, keys
from tests.django_project.club.models import Member
from twisted_dispatcher.django import cursors, outbox
from twisted_dispatcher.django.cursors import cursor_on
from twisted_dispatcher.sources import event


def is_ours(sql: object) -> bool:
    """Tell whether a statement records an event."""
    return "twisted_dispatcher_" in str(sql)


class _Proxy:
    """Stands for a function, and says that it is one."""

    def __init__(self, function: Any) -> None:
        self._function = function

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._function(*arguments, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._function, name)


class CursorTests(SourcesMixin, TransactionTestCase):
    """What Django's cursors have to do with an event."""

    available_apps = FLUSHED

    def setUp(self) -> None:
        """Have a source, and a connection as a program has it."""
        super().setUp()
        self.register(Member, lambda member: [event("named", member.name)])
        self.connection: Any = connections[DEFAULT_DB_ALIAS]
        # Tests that are allowed no database leave that on it, which they had put a guard before.
        for name in cursors._OF_CONNECTIONS:
            vars(self.connection).pop(name, None)

    def is_direct(self) -> bool:
        """Tell whether a member is saved, and its event recorded, without a cursor of Django's."""
        with mock.patch.object(cursors, "_Direct", wraps=cursors._Direct) as direct:
            Member.objects.create(name=f"member {len(keys())}")
        self.assertEqual(Member.objects.count(), len(keys()))
        return bool(direct.called)

    def test_direct(self) -> None:
        """Where nobody looks on, the driver is asked."""
        self.assertTrue(self.is_direct())

    def test_functions(self) -> None:
        """Who puts functions in the place of Django's, on classes or a connection, is heard."""
        places = (
            (type(self.connection), cursors._OF_CONNECTIONS),
            (self.connection, cursors._OF_CONNECTIONS),
            (CursorWrapper, cursors._OF_CURSORS),
        )
        for place, names in places:
            for name in names:
                function = getattr(place, name)

                @wraps(function)
                def passed(*arguments: Any, _function: Any = function, **named: Any) -> Any:
                    return _function(*arguments, **named)

                for other in (passed, _Proxy(function)):
                    is_method = other is passed or place is self.connection
                    put = other if is_method else partialmethod(other)
                    with self.subTest(name, place=place), mock.patch.object(place, name, put):
                        self.assertFalse(self.is_direct())
        self.assertTrue(self.is_direct())

    def test_too_early(self) -> None:
        """What is asked before all applications are there is asked by Django, which may warn."""
        with mock.patch.object(apps, "ready", False):
            self.assertFalse(self.is_direct())

    def test_event_loop(self) -> None:
        """Django's guard against statements in an event loop stands here as well."""

        async def record() -> None:
            with cursor_on(self.connection):
                raise AssertionError("no statement belongs here")

        with transaction.atomic(), self.assertRaises(SynchronousOnlyOperation):
            asyncio.run(record())

    def test_captured(self) -> None:
        """Who captures the statements of a connection has ours, too."""
        with CaptureQueriesContext(connection) as captured:
            Member.objects.create(name="Ada")

        self.assertTrue(any(is_ours(each["sql"]) for each in captured.captured_queries))

    def test_wrapped(self) -> None:
        """A wrapper hears of ours."""
        heard: list[str] = []

        def hear(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
            heard.append(sql)
            return execute(sql, params, many, context)

        with connection.execute_wrapper(hear):
            Member.objects.create(name="Ada")

        self.assertTrue(any(map(is_ours, heard)))

    def test_other_backend(self) -> None:
        """Another backend than Django's own makes its cursors itself."""
        other = mock.patch.object(type(self.connection), "__module__", "shop.backends")
        with transaction.atomic():
            with other, cursor_on(self.connection) as cursor:
                self.assertIsInstance(cursor, CursorWrapper)
            with cursor_on(self.connection) as cursor:
                self.assertNotIsInstance(cursor, CursorWrapper)

    def test_errors(self) -> None:
        """The errors of the driver are Django's."""
        error = self.assertRaises(DatabaseError)
        with transaction.atomic(), error as caught, cursor_on(self.connection) as cursor:
            cursor.execute("SELECT %s FROM twisted_dispatcher_nowhere", ("x",))

        self.assertIsNotNone(caught.exception.__cause__)

    def test_broken_transaction(self) -> None:
        """In a transaction that is spoilt nothing is recorded."""
        with transaction.atomic():
            transaction.set_rollback(True)
            with self.assertRaises(TransactionManagementError):
                outbox.record([event("named", "Ada")])

        self.assertEqual([], keys())

    def test_other_thread(self) -> None:
        """Another thread is refused a connection that is not its own."""
        with transaction.atomic():
            raised: list[BaseException] = []

            def use() -> None:
                try:
                    with cursor_on(self.connection):
                        pass
                except DatabaseError as error:
                    raised.append(error)

            thread = Thread(target=use)
            thread.start()
            thread.join()

        self.assertEqual(1, len(raised))

    def test_closed(self) -> None:
        """A connection that was closed is opened by Django."""
        with transaction.atomic():
            pass
        connection.close()
        with cursor_on(self.connection) as cursor:
            cursor.execute("SELECT 1")
            self.assertEqual([(1,)], list(cursor.fetchall()))
