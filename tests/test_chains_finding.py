"""Chains are made and found by what they are about (C01 to C30)."""

from __future__ import annotations

import warnings
from typing import Any

from twisted.internet.defer import gatherResults

from tests.chains import RESOURCES, ChainTestCase, configured, transition
from twisted_dispatcher.chains import (
    DONE,
    NEW,
    AmbiguousChain,
    Chain,
    ChainDispatcher,
    UnknownChain,
    UnknownChainType,
)
from twisted_dispatcher.errors import InvalidResources, StoreWithoutChains, WrongChainType

GRAPH = {NEW: [transition("Send", "sent")], "sent": [transition("Close", DONE)]}


class ConfigurationTests(ChainTestCase):
    """What a chain dispatcher is made of."""

    def test_readme(self) -> None:
        """The ancestor's names make a dispatcher of one type and one requester (C01, C06)."""
        chains = ChainDispatcher(
            chain_type="cart",
            chain_configs=configured(GRAPH),
            requests_by="scripts",
            dispatcher=self.dispatcher,
        )
        self.execute(chains, callback=self.callback)

        self.assertEqual([("sent", "scripts")], self.history(chains))

    def test_unknown_type(self) -> None:
        """An unknown type is refused as a ValueError when it is asked for (C02, C06)."""
        error = self.assertRaises(
            UnknownChainType,
            ChainDispatcher,
            "order",
            configured(GRAPH),
            dispatcher=self.dispatcher,
        )

        self.assertIsInstance(error, ValueError)
        self.assertIn("Couldn't find a configuration for chain_type 'order'", str(error))
        self.assertEqual(("cart",), error.known)

    def test_two_of_one_type(self) -> None:
        """Of two configurations of one type the first is used, and that is said (C03)."""
        first, second = configured(GRAPH), configured({NEW: [transition("Other", DONE)]})
        both = {"chains": first["chains"] + second["chains"]}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            chains = ChainDispatcher("cart", both, dispatcher=self.dispatcher)

        self.assertEqual("sent", self.execute(chains, callback=self.callback).state)
        self.assertEqual(1, len(caught))

    def test_bad_configurations(self) -> None:
        """A configuration without chains, or without transitions, is refused (C04, C05, C06)."""
        bad: list[Any] = [
            {},
            {"chains": [{"chain_type": "cart"}]},
            {"chains": [{"transitions": GRAPH}]},
            {"chains": [{"chain_type": "cart", "transitions": {}}]},
            {"chains": [{"chain_type": "cart", "transitions": {NEW: [object]}}]},
            [],
            7,
        ]
        for each in bad:
            self.assertRaises(
                ValueError, ChainDispatcher, "cart", each, dispatcher=self.dispatcher
            )

    def test_shared(self) -> None:
        """Several chain dispatchers of a type on one dispatcher share its transitions."""
        first = self.chains(GRAPH)
        second = ChainDispatcher("cart", None, "me", dispatcher=self.dispatcher)
        self.get(first)
        self.get(second)
        self.assertEqual("sent", self.execute(first, callback=self.callback).state)
        self.assertEqual(DONE, self.execute(second).state)

        self.assertEqual([("Send", {})], self.called)
        self.assertRaises(
            UnknownChainType, ChainDispatcher, "order", None, dispatcher=self.dispatcher
        )

    def test_keywords(self) -> None:
        """The dispatcher allows the keywords by which the events of chains are selected."""
        self.chains(GRAPH)

        self.assertEqual({"chain_type", "state"}, set(self.dispatcher.allowed_keywords))

    def test_store_without_chains(self) -> None:
        """A store that keeps no chains is refused."""
        self.patch(self.dispatcher.backstage.store, "chains", None)

        self.assertRaises(StoreWithoutChains, self.chains, GRAPH)


class FindingTests(ChainTestCase):
    """Which chain is given for which resources."""

    def setUp(self) -> None:
        """Make the dispatcher of a type."""
        super().setUp()
        self.carts = self.chains(GRAPH)

    def test_new(self) -> None:
        """Where there is none, a chain in the state NEW is made, and given (C10, C30)."""
        chain = self.get(self.carts)

        self.assertIsInstance(chain, Chain)
        self.assertIs(chain, self.carts.chain)
        self.assertEqual(("cart", NEW, 0), (chain.chain_type, chain.state, chain.version))
        self.assertEqual(dict(RESOURCES), chain.resources)
        self.assertFalse(chain.disabled)

    def test_found(self) -> None:
        """Exactly the same set of pairs is the same chain, in any order (C11, C21, C22)."""
        chain = self.get(self.carts)
        single = self.get(self.carts, [("customer", "1")])

        self.assertEqual(chain.id, self.get(self.carts, RESOURCES[::-1]).id)
        self.assertEqual(chain.id, self.get(self.carts, [*RESOURCES, RESOURCES[0]]).id)
        self.assertEqual(single.id, self.get(self.carts, [("customer", "1")] * 2).id)

    def test_forms(self) -> None:
        """Pairs may be lists, in any iterable or as a dict (C26)."""
        chain = self.get(self.carts)
        for given in (map(list, RESOURCES), dict(RESOURCES), set(RESOURCES), iter(RESOURCES)):
            self.assertEqual(chain.id, self.get(self.carts, given).id)

    def test_exact(self) -> None:
        """Exactly these resources on request: a chain that has more is no match (C12)."""
        chain = self.get(self.carts)
        exact = self.get(self.carts, RESOURCES[:1], match="exact")

        self.assertNotEqual(chain.id, exact.id)

    def test_superset(self) -> None:
        """A chain that has all of the resources, and more, is found (C13)."""
        chain = self.get(self.carts)
        for resource in RESOURCES:
            self.assertEqual(chain.id, self.get(self.carts, [resource]).id)

    def test_some_only(self) -> None:
        """A chain that has only some of the resources is no match (C14, C29)."""
        chain = self.get(self.carts)
        other = self.get(self.carts, [RESOURCES[0], ("customer", "1")])

        self.assertNotEqual(chain.id, other.id)

    def test_several(self) -> None:
        """Where several could be meant, the error lists them (C15)."""
        ids = {self.get(self.carts, [("shop", "1"), ("user", str(n))]).id for n in range(3)}
        error = self.assertRaises(AmbiguousChain, self.get, self.carts, [("shop", "1")])

        self.assertIsInstance(error, ValueError)
        self.assertIn("More than 1 chain of type 'cart' found", str(error))
        self.assertEqual(ids, {chain.id for chain in error.chains})

    def test_exact_wins(self) -> None:
        """An exact match is no ambiguity (C16)."""
        exact = self.get(self.carts, [("shop", "1")])
        self.get(self.carts, [("shop", "1"), ("user", "1")], match="exact")

        self.assertEqual(exact.id, self.get(self.carts, [("shop", "1")]).id)

    def test_types(self) -> None:
        """A chain of another type with the same resources is another chain (C17)."""
        chain = self.get(self.carts)
        orders = self.chains(GRAPH, "order")

        self.assertNotEqual(chain.id, self.get(orders).id)
        self.assertRaises(WrongChainType, orders.execute_chain, chain)

    def test_by_id(self) -> None:
        """A chain is executed by its id, too (C18, C19)."""
        chain = self.get(self.carts)
        other = self.chains(GRAPH)
        result = self.wait(other.execute_chain(chain.id, callback=self.callback))

        self.assertEqual("sent", result.state)
        error = self.assertRaises(UnknownChain, self.wait, other.execute_chain("unknown"))
        self.assertIn("'unknown': check the id; or it has been deleted", str(error))
        self.assertRaises(UnknownChain, other.execute_chain, 7)

    def test_bad_resources(self) -> None:
        """What are no pairs of texts is refused at once, and nothing is made (C20, C24, C25)."""
        bad: list[Any] = [
            [],
            {},
            "customer",
            b"customer",
            7,
            None,
            [("customer",)],
            [("customer", "1", "2")],
            ["customer"],
            [("customer", 1)],
            [("customer", b"1")],
            [(1, "1")],
            [(b"customer", "1")],
            [("customer", None)],
            [("", "1")],
            [("customer", "")],
            [("customer", "a\0b")],
            [("customer", "\ud800")],
            [("customer", "x" * 10_001)],
            [("customer", str(n)) for n in range(101)],
        ]
        for each in bad:
            error = self.assertRaises(InvalidResources, self.carts.get_or_create_chain, each)
            self.assertIsInstance(error, ValueError)
        self.assertRaises(
            InvalidResources, self.carts.get_or_create_chain, RESOURCES, match="some"
        )
        self.assertEqual({}, self.wait(self.carts.counts()))

    def test_strange_ids(self) -> None:
        """Ids with quotes, per cent signs, emoji or 10,000 characters are ids (C27)."""
        strange = [
            "it's",
            '"',
            "100%",
            "%s",
            "; DROP TABLE x; --",
            "\N{PARTY POPPER}",
            "x" * 10_000,
        ]
        for each in strange:
            chain = self.get(self.carts, [("order", each), (each, "1")])
            self.assertEqual({"order": each, each: "1"}, chain.resources)
            self.assertEqual(chain.id, self.get(self.carts, [("order", each)]).id)
        self.assertEqual({NEW: len(strange)}, self.wait(self.carts.counts()))

    def test_several_of_a_type(self) -> None:
        """A chain may be about several resources of one type."""
        chain = self.get(self.carts, [("item", "2"), ("item", "1"), ("user", "3")])

        self.assertEqual({"item": ("1", "2"), "user": "3"}, chain.resources)

    def test_at_once(self) -> None:
        """All who ask at once for the same get the same chain (C23)."""
        asked = [self.carts.get_or_create_chain(RESOURCES) for _ in range(20)]
        found = self.wait(gatherResults(asked))

        self.assertEqual(1, len({chain.id for chain in found}))
        self.assertEqual({NEW: 1}, self.wait(self.carts.counts()))
