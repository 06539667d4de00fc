"""Chains as synchronous code of a project uses them, after django-dispatcher's document."""

from __future__ import annotations

import threading
from typing import Any

from django.db import transaction
from django.test import TestCase, TransactionTestCase, override_settings

from tests.django_project.club.models import Member
from twisted_dispatcher.chains import DONE, NEW, Transition, exactly_once
from twisted_dispatcher.django import running
from twisted_dispatcher.django.chains import ChainDispatcher, ChainSchedule
from twisted_dispatcher.django.models import Chain
from twisted_dispatcher.errors import ChainInTransaction, UnknownChainType


class MemberTransition(Transition):
    """A way on for a member, who is read when needed."""

    _member: Any = None

    @property
    def member(self) -> Any:
        """The member that the chain is about."""
        if self._member is None:
            self._member = Member.objects.get(pk=self.resources["member"])
        return self._member


class Welcome(MemberTransition):
    """Is made for members that are active."""

    final_state = "welcomed"

    def is_valid(self) -> bool:
        self.context["thread"] = threading.current_thread().name
        if not self.member.active:
            self.errors.append("the member is not active")
        return bool(self.member.active)

    def build_context(self) -> dict[str, Any]:
        return {"name": self.member.name}


class Leave(MemberTransition):
    """Ends the chain of a member that is not active any more."""

    final_state = DONE

    def is_valid(self) -> bool:
        return not self.member.active


class Rename(Welcome):
    """Has a callback of its own, which writes."""

    final_state = "renamed"

    def callback(self, name: str) -> None:
        Member.objects.filter(pk=self.resources["member"]).update(name=name)


def configuration(first: type[Transition] = Welcome) -> dict[str, Any]:
    """Give a configuration whose first transition is this one."""
    transitions = {NEW: [first, Leave], first.final_state: [Leave]}
    return {"chains": [{"chain_type": "membership", "transitions": transitions}]}


WAYS: dict[str, list[Any]] = {NEW: [Welcome], "welcomed": []}


class ChainTests(TransactionTestCase):
    """A chain of a member, from the outside."""

    def setUp(self) -> None:
        """Have a member and a dispatcher."""
        self.member = Member.objects.create(name="Ada", active=False)
        self.resources = [("member", str(self.member.pk)), ("club", "rowing")]
        self.dispatcher = self.dispatcher_of(configuration())
        # Or its connections would keep the database of the tests from being removed.
        self.addCleanup(running.stop)

    def dispatcher_of(self, configs: Any) -> ChainDispatcher:
        """Give a dispatcher, made as the document makes it."""
        return ChainDispatcher(
            chain_type="membership", chain_configs=configs, requests_by="a nightly script"
        )

    def activate(self) -> None:
        """Have the first transition valid."""
        Member.objects.update(active=True)

    def test_steps_of_the_document(self) -> None:
        """A chain is found or made, and executed with a callback and its arguments."""
        self.activate()
        letters: list[str] = []

        def write(transition: Any, greeting: str) -> None:
            letters.append(f"{greeting} {transition.context['name']}")

        self.assertEqual(NEW, self.dispatcher.get_or_create_chain(self.resources).state)
        result = self.dispatcher.execute_chain(callback=write, callback_args={"greeting": "Hello"})

        self.assertEqual(["Hello Ada"], letters)
        self.assertEqual(("welcomed", True), (result.state, result.moved))
        (entry,) = self.dispatcher.history()
        self.assertEqual(("Welcome", "a nightly script"), (entry.transition, entry.requested_by))
        self.assertEqual("welcomed", Chain.objects.get().state)

    def test_refused(self) -> None:
        """A transition that is not valid says why, and the chain stays where it is."""
        Member.objects.update(active=False)
        dispatcher = self.dispatcher_of(
            {"chains": [{"chain_type": "membership", "transitions": WAYS}]}
        )
        dispatcher.get_or_create_chain(self.resources)

        result = dispatcher.execute_chain()

        self.assertEqual({"<Welcome>": ["the member is not active"]}, result.errors)
        self.assertEqual((NEW, False), (result.state, result.moved))

    def test_same_chain(self) -> None:
        """All of the resources find the chain, and so do some of them."""
        chain = self.dispatcher.get_or_create_chain(self.resources)

        for resources in (self.resources[::-1], self.resources[:1]):
            self.assertEqual(chain.id, self.dispatcher.get_or_create_chain(resources).id)
        self.assertEqual(chain.id, self.dispatcher.chain.id)
        self.assertEqual(1, Chain.objects.count())

    def test_threads(self) -> None:
        """Plain code of transitions and callbacks runs in threads that may use the ORM."""
        self.activate()
        seen: list[str] = []

        def watch(transition: Any) -> None:
            seen.extend([transition.context["thread"], threading.current_thread().name])

        self.dispatcher.get_or_create_chain(self.resources)
        self.dispatcher.execute_chain(callback=watch)

        self.assertEqual(2, len(seen))
        for name in seen:
            self.assertIn("twisted_dispatcher.django", name)

    def test_callback_of_its_own(self) -> None:
        """A transition's own callback writes through the ORM."""
        self.activate()
        dispatcher = self.dispatcher_of(configuration(Rename))
        dispatcher.get_or_create_chain(self.resources)

        dispatcher.execute_chain(callback_args={"name": "Lovelace"})

        self.assertEqual("Lovelace", Member.objects.get().name)

    def test_failing_callback(self) -> None:
        """What a callback raises comes out, and the chain stays where it was (C56)."""
        self.activate()

        def fail(transition: Any) -> None:
            raise OSError("the printer is off")

        chain = self.dispatcher.get_or_create_chain(self.resources)
        with self.assertRaisesMessage(OSError, "the printer is off"):
            self.dispatcher.execute_chain(callback=fail)

        self.assertEqual(NEW, self.dispatcher.get_chain(chain.id).state)

    def test_exactly_once(self) -> None:
        """A callback that is called exactly once is called where the store commits."""
        self.activate()
        seen: list[Any] = []

        @exactly_once
        def note(transition: Any, transaction: Any) -> None:
            seen.append(transaction.execute("SELECT 1"))

        self.dispatcher.get_or_create_chain(self.resources)
        result = self.dispatcher.run_chain(callback=note)

        self.assertEqual((1, "welcomed"), (len(seen), result.state))

    def test_in_a_transaction(self) -> None:
        """Within a transaction it is refused, and nothing is done."""
        with transaction.atomic(), self.assertRaises(ChainInTransaction):
            self.dispatcher.get_or_create_chain(self.resources)

        self.assertEqual(0, Chain.objects.count())

    def test_unknown_name(self) -> None:
        """What no chain dispatcher has, this one has not either."""
        with self.assertRaisesMessage(AttributeError, "has no 'executes_chain'"):
            self.dispatcher.executes_chain()


_welcomed = threading.Event()


def welcome(transition: Any) -> None:
    """Tell the test that a chain was executed."""
    _welcomed.set()


def start_chains(service: Any) -> None:
    """Have chains executed that are due; named by the setting."""
    ChainSchedule(service, "membership", configuration(), callback=welcome)


class ScheduleTests(TransactionTestCase):
    """A process that executes chains that are due."""

    def setUp(self) -> None:
        """Stop what runs in this process, whatever becomes of the test."""
        _welcomed.clear()
        self.addCleanup(running.stop)

    @override_settings(TWISTED_DISPATCHER={"RUN": "here", "SETUP": f"{__name__}.start_chains"})
    def test_due(self) -> None:
        """A chain that is due is executed, and nobody has to ask for it."""
        member = Member.objects.create(name="Ada")

        ChainDispatcher("membership", configuration()).get_or_create_chain(
            [("member", str(member.pk))]
        )

        self.assertTrue(_welcomed.wait(60))
        # Which waits for the execution that is under way.
        running.stop()
        self.assertEqual("welcomed", Chain.objects.get().state)


class ConstructionTests(TestCase):
    """Making a dispatcher, which needs no reactor yet."""

    def test_unknown_type(self) -> None:
        """A type that is not configured is refused at once (C06)."""
        with self.assertRaises(UnknownChainType):
            ChainDispatcher(chain_type="marriage", chain_configs=configuration())
