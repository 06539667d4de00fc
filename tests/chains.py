"""What the tests of chains share: a dispatcher on a clock, and transitions made in one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.durable import EPOCH
from twisted_dispatcher import DurableDispatcher
from twisted_dispatcher.chains import Chain, ChainDispatcher, ChainResult, Transition
from twisted_dispatcher.testing import clocked_durable_dispatcher, pump

T = TypeVar("T")
Graph = Mapping[str, list[type[Transition]]]

RESOURCES = [("online_booking", "123456"), ("customer", "57844")]


def transition(name: str, final_state: str, valid: Any = True, **attributes: Any) -> Any:
    """
    Make a class of transitions.

    :param valid: what `is_valid` gives, or the function itself.
    """
    is_valid = valid if callable(valid) else lambda self: valid
    if valid is not None:
        attributes["is_valid"] = is_valid
    return type(name, (Transition,), {"final_state": final_state, **attributes})


def refusing(*errors: str) -> Callable[[Any], bool]:
    """Make an `is_valid` that refuses for some reasons."""

    def is_valid(self: Any) -> bool:
        self.errors.extend(errors)
        return False

    return is_valid


def configured(transitions: Graph, chain_type: str = "cart") -> dict[str, Any]:
    """Give the configuration of one type of chain."""
    return {"chains": [{"chain_type": chain_type, "transitions": transitions}]}


class ChainTestCase(SynchronousTestCase):
    """Chains in memory, on a clock."""

    def setUp(self) -> None:
        """Start a dispatcher."""
        self.clock = Clock()
        self.clock.advance(EPOCH)
        self.dispatcher = self.new_dispatcher()
        self.called: list[Any] = []

    def new_dispatcher(self, store: Any = "sqlite://", **options: Any) -> DurableDispatcher:
        """Start a dispatcher on the test's clock."""
        return clocked_durable_dispatcher(store=store, clock=self.clock, **options)[0]

    def chains(
        self, transitions: Graph, chain_type: str = "cart", **options: Any
    ) -> ChainDispatcher:
        """Make the dispatcher of a type of chain."""
        options.setdefault("dispatcher", self.dispatcher)
        return ChainDispatcher(chain_type, configured(transitions, chain_type), **options)

    def wait(self, deferred: Deferred[T]) -> T:
        """Let as much time pass as the answer takes, which should be none."""
        return pump(self.clock, deferred, 0.0)

    def get(self, chains: ChainDispatcher, resources: Any = RESOURCES, **named: Any) -> Chain:
        """Get or create a chain."""
        return self.wait(chains.get_or_create_chain(resources, **named))

    def execute(self, chains: ChainDispatcher, *given: Any, **named: Any) -> ChainResult:
        """Execute a chain, the last one by default; get one where there was none."""
        if chains.chain is None:
            self.get(chains)
        return self.wait(chains.execute_chain(*given, **named))

    def callback(self, transition: Transition, **arguments: Any) -> None:
        """Take note of a call."""
        self.called.append((transition.name, arguments))

    def stored(self, chains: ChainDispatcher) -> Chain:
        """Give the last chain as it is stored."""
        assert chains.chain is not None
        return self.wait(chains.get_chain(chains.chain.id))

    def history(self, chains: ChainDispatcher) -> list[tuple[str, str | None]]:
        """Give the states that the last chain came to, and who wanted it."""
        return [(each.value, each.requested_by) for each in self.wait(chains.history())]
