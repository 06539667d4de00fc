"""Tests of how the configuration of chains is read, and of what is refused."""

from __future__ import annotations

import json
import warnings
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher.chains.configuration import (
    Configuration,
    configuration_of,
    configurations,
)
from twisted_dispatcher.chains.states import DONE, NEW
from twisted_dispatcher.chains.transition import Transition
from twisted_dispatcher.errors import (
    DuplicateChainType,
    InvalidChainConfiguration,
    UnknownChainType,
    UnreadableChainConfiguration,
)

HERE = __name__


class Remind(Transition):
    """Leads to ``reminded``."""

    final_state = "reminded"

    def is_valid(self) -> bool:
        return True


class Close(Remind):
    """Leads to the end."""

    final_state = DONE


class Nameless(Transition):
    """Leads nowhere."""


def one_type(transitions: Any, **others: Any) -> dict[str, Any]:
    """Give a configuration of one type of chain."""
    return {"chains": [{"chain_type": "cart", "transitions": transitions, **others}]}


SOUND = one_type({NEW: [Remind], "reminded": [Close]})


class ReadingTests(SynchronousTestCase):
    """What is made of a sound configuration."""

    def test_by_state(self) -> None:
        """The transitions of each state are known, in their order."""
        found = configuration_of("cart", SOUND)

        self.assertEqual((Remind,), found.transitions_of(NEW))
        self.assertEqual((Close,), found.transitions_of("reminded"))

    def test_states(self) -> None:
        """All states are known, DONE among them, and which of them have a way on."""
        found = configuration_of("cart", SOUND)

        self.assertEqual({NEW, "reminded", DONE}, found.states)
        self.assertEqual((NEW, "reminded"), found.going)
        self.assertTrue(found.is_end(DONE))

    def test_unknown_state_has_no_way_on(self) -> None:
        """No transition leaves a state that is not known, and yet it is no end."""
        found = configuration_of("cart", SOUND)

        self.assertEqual((), found.transitions_of("lost"))
        self.assertFalse(found.is_end("lost"))

    def test_state_without_transitions_is_an_end(self) -> None:
        """A state that is listed without transitions is an end."""
        found = configuration_of("cart", one_type({NEW: [Remind], "reminded": []}))

        self.assertTrue(found.is_end("reminded"))
        self.assertIsNone(found.final_transition())

    def test_final_transition(self) -> None:
        """The transition that leads to DONE is found, whatever state it leaves."""
        self.assertIs(Close, configuration_of("cart", SOUND).final_transition())

    def test_states_of_an_enumeration(self) -> None:
        """States may be members of an enumeration of texts."""

        class State(str, Enum):
            START = "new"
            REMINDED = "reminded"

        found = configuration_of("cart", one_type({State.START: [Remind], State.REMINDED: []}))

        self.assertEqual(["new", "reminded"], list(map(str, found.transitions)))

    def test_loops(self) -> None:
        """A graph may go round."""

        class Again(Remind):
            final_state = NEW

        found = configuration_of("cart", one_type({NEW: [Remind], "reminded": [Again]}))

        self.assertEqual((NEW, "reminded"), found.going)

    def test_unknown_type(self) -> None:
        """A type that is not configured is a ValueError that lists those that are (C02)."""
        error = self.assertRaises(ValueError, configuration_of, "order", SOUND)

        self.assertIsInstance(error, UnknownChainType)
        self.assertIn("Couldn't find a configuration for chain_type 'order'", str(error))
        self.assertIn("'cart'", str(error))

    def test_first_of_two(self) -> None:
        """Of two of one type the first is used, with a warning (C03)."""
        other = one_type({NEW: [Close]})["chains"]

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = configuration_of("cart", {"chains": SOUND["chains"] + other})

        self.assertEqual((Remind,), found.transitions_of(NEW))
        self.assertEqual([DuplicateChainType], [each.category for each in caught])
        self.assertIn("'cart' is configured 2 times", str(caught[0].message))

    def test_several_types(self) -> None:
        """All types can be had at once."""
        other = {"chain_type": "order", "transitions": {NEW: [Close]}}

        found = configurations({"chains": [*SOUND["chains"], other]})

        self.assertEqual({"cart", "order"}, set(found))


class DefinitionTests(SynchronousTestCase):
    """What stands for a configuration."""

    def definition(self, transitions: Any) -> str:
        """Give what stands for a graph."""
        return configuration_of("cart", one_type(transitions)).definition

    def test_order_of_states_is_no_matter(self) -> None:
        """The same states and transitions have the same definition."""
        one = self.definition({NEW: [Remind], "reminded": [Close]})
        other = self.definition({"reminded": [Close], NEW: [Remind]})

        self.assertEqual(one, other)

    def test_order_of_transitions_is(self) -> None:
        """Another order in which transitions are tried is another definition."""
        one = self.definition({NEW: [Remind, Close], "reminded": []})
        other = self.definition({NEW: [Close, Remind], "reminded": []})

        self.assertNotEqual(one, other)

    def test_another_target(self) -> None:
        """A transition that leads elsewhere makes another definition."""
        elsewhere = type("Remind", (Remind,), {"final_state": DONE})

        one = self.definition({NEW: [Remind], "reminded": []})
        other = self.definition({NEW: [elsewhere]})

        self.assertNotEqual(one, other)

    def test_without_transitions(self) -> None:
        """A state more is another definition."""
        one = self.definition({NEW: [Close]})
        other = self.definition({NEW: [Close], DONE: []})

        self.assertNotEqual(one, other)


class FaultTests(SynchronousTestCase):
    """What is refused, and how it is said."""

    def faults(self, configs: Any) -> list[str]:
        """Give the faults for which a configuration is refused."""
        error = self.assertRaises(InvalidChainConfiguration, configurations, configs)
        return list(error.faults)

    def assertFault(self, text: str, configs: Any) -> None:
        """Fail unless there is one fault, and it says so."""
        (fault,) = self.faults(configs)
        self.assertIn(text, fault)

    def test_all_in_one_error(self) -> None:
        """All faults of all types stand in one error."""
        other = {"chain_type": "order", "transitions": {NEW: [Nameless], "lost": []}}
        configs = {"chains": [*one_type({NEW: [Remind], "x": "y"})["chains"], other]}

        error = self.assertRaises(ValueError, configurations, configs)

        self.assertEqual(3, str(error).count("\n  - "))
        for expected in ("chains[0] (cart), state 'x'", "Nameless has no final_state", "'lost'"):
            self.assertIn(expected, str(error))

    def test_no_mapping(self) -> None:
        """What is no mapping is refused, also as the TypeError that it was (C04)."""
        self.assertRaises(TypeError, configurations, [])

    def test_no_chains(self) -> None:
        """A configuration without ``chains`` is refused."""
        self.assertFault("'chains', which is None", {})

    def test_chain_is_no_mapping(self) -> None:
        """A chain that is no mapping is refused."""
        self.assertFault("chains[0]: it is a mapping", {"chains": ["cart"]})

    def test_no_chain_type(self) -> None:
        """A chain without a type is refused (C06)."""
        self.assertFault("its 'chain_type' is a text", {"chains": [{"transitions": {}}]})

    def test_no_transitions(self) -> None:
        """A chain without transitions, or with none, is refused (C05, C06)."""
        self.assertFault("Could not find transitions", {"chains": [{"chain_type": "cart"}]})
        self.assertFault("Could not find transitions", one_type({}))

    def test_unknown_key(self) -> None:
        """A key that means nothing is refused."""
        self.assertFault("unknown key 'transition'", one_type({NEW: [Close]}, transition=1))

    def test_text_for_a_list(self) -> None:
        """A text in the place of a list is refused."""
        self.assertFault("its transitions are a list", one_type({NEW: "abc"}))

    def test_no_transition(self) -> None:
        """Something else in the place of a transition is refused, and an object of one, too."""
        self.assertFault("no subclass of Transition", one_type({NEW: [int]}))
        self.assertFault("no subclass of Transition", one_type({NEW: [3]}))

    def test_bad_state(self) -> None:
        """A state whose name is no text is refused."""
        self.assertFault("the name of a state is a text, not 3", one_type({NEW: [], 3: []}))

    def test_no_final_state(self) -> None:
        """A transition without final_state is refused (C32)."""
        self.assertFault("Nameless has no final_state", one_type({NEW: [Nameless]}))

    def test_unknown_state(self) -> None:
        """A transition that leads to a state that is not listed is refused."""
        self.assertFault("to the unknown state 'reminded'", one_type({NEW: [Remind]}))

    def test_unreachable_state(self) -> None:
        """A state to which no way leads is refused, and so is a circle apart."""
        self.assertFault("'lost' cannot be reached", one_type({NEW: [Close], "lost": []}))
        self.assertFault("'reminded' cannot be", one_type({NEW: [], "reminded": [Remind]}))

    def test_without_new(self) -> None:
        """Without a state in which chains begin the configuration is refused."""
        self.assertFault("'new' is not listed", one_type({"reminded": [Close]}))

    def test_two_of_one_name(self) -> None:
        """Two transitions of one name are refused."""
        other = type("Close", (Close,), {})
        self.assertFault("2 transitions are named Close", one_type({NEW: [Close, other]}))

    def test_one_in_two_states(self) -> None:
        """One transition may leave several states."""
        configuration_of("cart", one_type({NEW: [Remind, Close], "reminded": [Close]}))

    def test_going_on_from_the_end(self) -> None:
        """A transition that leaves DONE is refused."""
        self.assertFault("chains end in 'done'", one_type({NEW: [Close], DONE: [Close]}))

    def test_otherwise(self) -> None:
        """The transition that stands in leads to a known state, and is said when to be taken."""

        class Late(Remind):
            final_state = "late"

        class Urge(Remind):
            final_state = DONE
            otherwise = Late
            give_up_after = timedelta(days=1)

        self.assertFault("to the unknown state 'late'", one_type({NEW: [Urge]}))
        configuration_of("cart", one_type({NEW: [Urge], "late": []}))
        Urge.give_up_after = None  # type: ignore[assignment]
        self.assertFault("never taken", one_type({NEW: [Urge], "late": []}))

    def test_bad_otherwise(self) -> None:
        """What stands in must be a transition."""
        urge = type("Urge", (Close,), {"otherwise": "Late", "give_up_after": 1})
        self.assertFault("no subclass of Transition", one_type({NEW: [urge]}))

    def test_bad_times(self) -> None:
        """A time that is none is refused when it can be known, with its cure."""
        naive = datetime(2027, 1, 1)
        cures = (("2 days", "give a timedelta"), (naive, "its zone"), ([2], "give one of these"))
        for what in ("not_before", "give_up_after", "next_update", "date_next_update"):
            for value, cure in cures:
                wait = type("Wait", (Close,), {what: value})
                (fault,) = self.faults(one_type({NEW: [wait]}))

                self.assertIn(f"Wait.{what} is an aware datetime", fault)
                self.assertIn(f"not {value!r}: ", fault)
                self.assertIn(cure, fault)

    def test_bad_signals(self) -> None:
        """A signal that has no name is refused."""
        wait = type("Wait", (Close,), {"wait_for": 3})
        self.assertFault("Wait.wait_for is the name", one_type({NEW: [wait]}))

    def test_properties_are_asked_later(self) -> None:
        """What a property says is not known before there is a chain."""
        later = property(lambda self: 1)
        wait = type("Wait", (Close,), {"wait_for": later, "not_before": later})

        configuration_of("cart", one_type({NEW: [wait]}))

    def test_bad_guarantee(self) -> None:
        """A guarantee that is none is refused."""
        hope = type("Hope", (Close,), {"guarantee": "at-most-once"})
        self.assertFault("Hope.guarantee is", one_type({NEW: [hope]}))

    def test_bad_renames(self) -> None:
        """Renaming a state that is there, or to one that is not, is refused."""
        self.assertFault("renamed and listed", one_type({NEW: [Close]}, renamed={NEW: DONE}))
        self.assertFault("which is not listed", one_type({NEW: [Close]}, renamed={"a": "b"}))
        self.assertFault("a mapping of old", one_type({NEW: [Close]}, renamed=["a"]))


class FileTests(SynchronousTestCase):
    """Configurations in files."""

    def write(self, name: str, text: str) -> Path:
        """Write a file, and give its path."""
        directory = Path(self.mktemp())
        directory.mkdir()
        path = directory / name
        path.write_text(text, encoding="utf-8")
        return path

    def toml(self, text: str) -> Configuration:
        """Give the type ``cart`` of a TOML file."""
        return configuration_of("cart", self.write("chains.toml", text))

    def test_toml(self) -> None:
        """A TOML file names transitions, with a colon or with a dot."""
        found = self.toml(
            f"""
            [[chains]]
            chain_type = "cart"
            [chains.transitions]
            new = ["{HERE}:Remind"]
            reminded = ["{HERE}.Close"]
            """
        )

        self.assertEqual({NEW: (Remind,), "reminded": (Close,)}, found.transitions)

    def test_json(self) -> None:
        """A JSON file says the same, and its path may be a text."""
        written = one_type({NEW: [f"{HERE}:Remind"], "reminded": [f"{HERE}:Close"]})
        path = self.write("chains.json", json.dumps(written))

        found = configuration_of("cart", str(path))

        self.assertEqual(configuration_of("cart", SOUND), found)

    def test_names_in_python(self) -> None:
        """Names may stand in Python's form as well."""
        found = configuration_of("cart", one_type({NEW: [f"{HERE}:Close"]}))

        self.assertEqual((Close,), found.transitions_of(NEW))

    def test_varied(self) -> None:
        """A table varies a class: its name, its state, its waits."""
        found = self.toml(
            f"""
            [[chains]]
            chain_type = "cart"
            [chains.transitions]
            new = [{{ use = "{HERE}:Remind", name = "Urge", final_state = "urged",
                     not_before = "2 days 1 h", give_up_after = 604800, wait_for = ["a", "b"],
                     otherwise = "{HERE}:Close", initial_context = {{ template = "urge.txt" }} }}]
            urged = []
            """.replace("\n                     ", " ")
        )

        (urge,) = found.transitions_of(NEW)
        self.assertTrue(issubclass(urge, Remind))
        self.assertEqual("Urge", urge.__name__)
        self.assertEqual("urged", urge.final_state)
        self.assertEqual(timedelta(days=2, hours=1), urge.not_before)
        self.assertEqual(("a", "b"), urge.wait_for)
        self.assertIs(Close, urge.otherwise)
        self.assertEqual({"template": "urge.txt"}, urge.initial_context)

    def test_varied_twice(self) -> None:
        """A table that is listed under two states is one transition."""
        table = {"use": f"{HERE}:Close", "name": "Finish"}

        found = configuration_of("cart", one_type({NEW: [Remind, table], "reminded": [table]}))

        self.assertEqual(found.transitions_of(NEW)[1:], found.transitions_of("reminded"))

    def assertFault(self, entry: Any, text: str) -> None:
        """Fail unless an entry is refused with a text."""
        error = self.assertRaises(
            InvalidChainConfiguration, configurations, one_type({NEW: [entry]})
        )
        self.assertIn(text, error.faults[0])

    def test_bad_tables(self) -> None:
        """A table that names no class, or says what means nothing, is refused."""
        use = f"{HERE}:Close"
        self.assertFault({}, "names the class that it varies with 'use'")
        self.assertFault({"use": use, "color": 1}, "a transition has no 'color'")
        self.assertFault({"use": use, "name": ""}, "the name of a transition is a text")
        self.assertFault({"use": use, "not_before": "soon"}, "'soon' is no length of time")
        self.assertFault({"use": use, "not_before": ""}, "'' is no length of time")
        self.assertFault({"use": use, "not_before": "9" * 40 + " weeks"}, "longer than any time")

    def test_bad_names(self) -> None:
        """A name that leads nowhere is refused, and it is said up to where it leads."""
        self.assertFault("Close", "names nothing that can be imported")
        self.assertFault("tests.nowhere:Close", "there is no module 'tests.nowhere'")
        self.assertFault("nowhere.at.all:Close", "there is no module 'nowhere'")
        self.assertFault(f"{HERE}:Shut", "has no 'Shut'")
        self.assertFault("json:loads", "no subclass of Transition")

    def test_module_that_fails(self) -> None:
        """A module that cannot be imported is a fault that says why."""
        path = self.write("tests_chains_broken.py", "1 / 0\n")
        self.patch_path(path.parent)

        self.assertFault("tests_chains_broken:X", "failed: ZeroDivisionError: division by zero")

    def test_module_that_lacks_another(self) -> None:
        """It is said which module is missing when the named one is there."""
        path = self.write("tests_chains_lacking.py", "import tests_chains_absent\n")
        self.patch_path(path.parent)

        self.assertFault("tests_chains_lacking:X", "importing 'tests_chains_lacking' failed: No")

    def patch_path(self, directory: Path) -> None:
        """Let Python look in a directory, too, while the test runs."""
        import sys

        self.patch(sys, "path", [str(directory.resolve()), *sys.path])

    def assertUnreadable(self, path: object, text: str) -> None:
        """Fail unless a file cannot be read, for a reason."""
        error = self.assertRaises(UnreadableChainConfiguration, configurations, str(path))
        self.assertIn(text, str(error))
        self.assertIn(str(path), str(error))

    def test_unreadable(self) -> None:
        """A file that is missing, of another kind or not well formed is refused by its path."""
        self.assertUnreadable("nowhere.toml", "No such file")
        self.assertUnreadable("chains.yaml", "ends neither in .json nor in .toml")
        self.assertUnreadable(self.write("chains.toml", "[[chains]"), "at line 1")
        self.assertUnreadable(self.write("chains.json", "{"), "line 1 column 2")
        self.assertUnreadable(self.write("deep.json", "[" * 200_000), "recursion")
