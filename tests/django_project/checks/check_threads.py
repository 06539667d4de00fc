"""Tests of the threads in which handlers use the ORM, and of the one in which they must not."""

from __future__ import annotations

from threading import Event as Flag
from threading import get_ident
from typing import Any

from django.core.exceptions import SynchronousOnlyOperation
from django.db import connections, transaction
from django.test import TransactionTestCase
from twisted.internet.defer import CancelledError

from tests.django_project.club.models import Member
from twisted_dispatcher import Event
from twisted_dispatcher.blocking.calls import Call
from twisted_dispatcher.blocking.thread import reactor_thread
from twisted_dispatcher.django.guarding import OrmInReactorThread, admit_orm, refuse_orm
from twisted_dispatcher.django.references import Reference
from twisted_dispatcher.django.threads import DjangoThreads, in_thread, let_go

# Far more than anything here takes.
LIMIT = 60.0


def in_reactor(function: Any, *arguments: Any) -> Any:
    """Call a function in the reactor's thread, and wait for what it gives."""
    return reactor_thread().run(Call(function, arguments, {}), LIMIT)


class ThreadTests(TransactionTestCase):
    """The threads of handlers."""

    def test_elsewhere(self) -> None:
        """A handler is called in a thread that is neither the caller's nor the reactor's."""
        self.addCleanup(in_reactor, let_go)
        idents = {get_ident(), in_reactor(get_ident), in_reactor(in_thread, get_ident)}

        self.assertEqual(len(idents), 3)

    def threads(self, most: int = 1) -> DjangoThreads:
        """Give threads that hold no connection when the test is over."""
        threads = DjangoThreads(most=most)
        self.addCleanup(in_reactor, threads.let_go)
        return threads

    def test_writes(self) -> None:
        """What a handler writes stays."""

        def write(event: Event) -> None:
            Member.objects.create(name=event["name"])

        in_reactor(self.threads().run, write, Event("joined", "a", context={"name": "Ann"}))

        self.assertEqual(Member.objects.get().name, "Ann")

    def test_goes_on(self) -> None:
        """A thread for which others wait goes on with its connection."""
        threads = self.threads()
        used: list[Any] = []
        all_wait = Flag()

        def write(event: Event) -> None:
            all_wait.wait(LIMIT)
            Member.objects.create(name=event["key"])
            used.append(connections["default"].connection)

        async def scene() -> None:
            running = [threads.run(write, Event("joined", key)) for key in "abc"]
            all_wait.set()
            for each in running:
                await each

        in_reactor(scene)

        self.assertEqual(len({id(each) for each in used}), 1)
        self.assertEqual(Member.objects.count(), 3)

    def test_left_open_while_others_wait(self) -> None:
        """A transaction that a handler leaves open is rolled back before the next handler."""
        threads = self.threads()

        def leave_open(event: Event) -> None:
            transaction.atomic().__enter__()
            Member.objects.create(name="Ann")

        def write(event: Event) -> None:
            Member.objects.create(name="Bob")

        async def scene() -> None:
            leaving = threads.run(leave_open, Event("joined", "a"))
            await threads.run(write, Event("joined", "b"))
            await leaving

        in_reactor(scene)

        self.assertEqual([each.name for each in Member.objects.all()], ["Bob"])

    def test_raises(self) -> None:
        """What a handler raises is what its caller gets."""

        def fail(event: Event) -> None:
            raise LookupError(event["key"])

        with self.assertRaises(LookupError):
            in_reactor(self.threads().run, fail, Event("joined", "a"))

    def test_references(self) -> None:
        """A handler's references are rows, read in its own thread when it asks for them."""
        member = Member.objects.create(name="Ann")
        event = Event(
            "joined", "a", context={"member": Reference("club.Member", member.pk, "default")}
        )
        found: list[Any] = []

        in_reactor(self.threads().run, lambda event: found.append(event["member"].name), event)

        self.assertEqual(found, ["Ann"])

    def test_cancelled_before(self) -> None:
        """What is cancelled before a thread was free for it is never begun."""
        threads = self.threads()
        began, may_end = Flag(), Flag()
        called: list[str] = []

        def hold() -> None:
            began.set()
            may_end.wait(LIMIT)

        async def scene() -> None:
            holding = threads.call(hold)
            waiting = threads.call(called.append, "waiting")
            waiting.cancel()
            try:
                await waiting
            except CancelledError:
                called.append("cancelled")
            may_end.set()
            await holding
            await threads.call(called.append, "next")

        in_reactor(scene)

        self.assertTrue(began.is_set())
        self.assertEqual(called, ["cancelled", "next"])


class GuardTests(TransactionTestCase):
    """The thread of the reactor."""

    def test_refused(self) -> None:
        """A query in the reactor's thread is refused, with the cure, and leaves no connection."""

        async def scene() -> Any:
            refuse_orm()
            try:
                Member.objects.count()
            finally:
                found.append(connections["default"].connection)
                admit_orm()

        found: list[Any] = []
        with self.assertRaises(SynchronousOnlyOperation) as raised:
            in_reactor(scene)

        self.assertIsInstance(raised.exception, OrmInReactorThread)
        self.assertIn("in_thread", str(raised.exception))
        self.assertEqual(found, [None])

    def test_admitted(self) -> None:
        """When the reactor is done with the thread, the ORM can be used in it again."""

        async def scene() -> int:
            refuse_orm()
            admit_orm()
            try:
                return int(Member.objects.count())
            finally:
                connections.close_all()

        self.assertEqual(in_reactor(scene), 0)
