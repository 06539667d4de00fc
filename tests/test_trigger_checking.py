"""What is odd about a configuration of a trigger session, and what it looks like as a picture."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import PATIENT
from twisted_dispatcher.testing.triggers import TriggerAssertions
from twisted_dispatcher.triggers.checking import Finding, check
from twisted_dispatcher.triggers.cycles import cycles_of
from twisted_dispatcher.triggers.drawing import graph
from twisted_dispatcher.triggers.links import TaskLinks, links_of

SURVEY: Mapping[str, Any] = {
    "t_import": {"after": ["first", "last"], "run": "x:y"},
    "t_alert": {"after": ["t_import"], "andEvery": "page", "unless": ["stopped"], "run": "x:y"},
}


def task(*after: str, **directives: Any) -> dict[str, Any]:
    """Give the directives of a task."""
    return {"after": list(after), "run": "module:name", **directives}


def kinds(findings: Collection[Finding]) -> list[tuple[str, tuple[str, ...]]]:
    """Give what was found, without the words."""
    return [(finding.kind, finding.names) for finding in findings]


class CheckTests(SynchronousTestCase):
    """Checking a configuration as a whole."""

    def assertFound(
        self,
        configuration: Mapping[str, Any],
        *expected: tuple[str, tuple[str, ...]],
        triggers: Collection[str] | None = None,
    ) -> list[Finding]:
        """Fail unless exactly this is found."""
        findings = check(configuration, triggers)
        self.assertEqual(kinds(findings), list(expected))
        return findings

    def test_nothing_odd(self) -> None:
        """Where all can run and is fired, nothing is found."""
        self.assertFound(SURVEY)
        self.assertFound(SURVEY, triggers=["first", "last", "page", "stopped"])

    def test_waits_for_nothing(self) -> None:
        """A task without a trigger can never run."""
        (finding,) = self.assertFound({"t": task()}, ("never runs", ("t",)))

        self.assertEqual(
            str(finding), "t can never run: it waits for nothing; give it an after or an andEvery"
        )

    def test_invalid(self) -> None:
        """Directives that a session would refuse are found, and nothing is said about the rest."""
        one, other = self.assertFound(
            {"t": {"after": "abc", "run": "m:n"}, "u": task(), "v": [1]},
            ("invalid", ("t",)),
            ("invalid", ("v",)),
        )

        self.assertIn("'after' is a list of triggers, not a text", str(one))
        self.assertIn("the directives are a mapping", str(other))

    def test_and_every_is_enough(self) -> None:
        """A task with an andEvery alone can run."""
        self.assertFound({"t": {"after": [], "andEvery": "a", "run": "m:n"}})

    def test_nobody_fires(self) -> None:
        """A trigger that is not on the list is found, with those who name it and what is alike."""
        fired, never = self.assertFound(
            {"t": task("frist", "last"), "u": task("last", unless=["frist", "first"])},
            ("nobody fires", ("frist",)),
            ("never runs", ("t",)),
            triggers=["first", "last"],
        )

        self.assertEqual(
            str(fired), "nobody fires frist, which is named by t, u: did you mean first?"
        )
        self.assertEqual(str(never), "t can never run: frist can never fire")

    def test_nobody_waits(self) -> None:
        """A trigger of the list that no task names is found."""
        (finding,) = self.assertFound(
            {"t": task("a")}, ("nobody waits", ("zebra",)), triggers=["a", "zebra"]
        )

        self.assertIn("fire it, or leave it out", str(finding))

    def test_followers_of_what_never_runs(self) -> None:
        """What waits for the cascade of a task that never runs never runs."""
        self.assertFound(
            {"t": task(), "u": task("t"), "v": task("u", "a")},
            *(("never runs", (name,)) for name in "tuv"),
        )

    def test_cycle(self) -> None:
        """Tasks that wait for one another are found, as a cycle and each by itself."""
        findings = self.assertFound(
            {"t": task("v"), "u": task("t", "a"), "v": task("u"), "w": task("a")},
            ("cycle", ("t", "u", "v")),
            *(("never runs", (name,)) for name in "tuv"),
        )

        self.assertTrue(str(findings[0]).startswith("t -> u -> v -> t: each waits for the one"))

    def test_waits_for_itself(self) -> None:
        """A task that waits for its own name is a cycle of one."""
        self.assertFound({"t": task("t")}, ("cycle", ("t",)), ("never runs", ("t",)))

    def test_cycle_that_is_fired_from_outside(self) -> None:
        """A cycle is found also where somebody fires a task's name, but then its tasks can run."""
        self.assertFound({"t": task("u"), "u": task("t")}, ("cycle", ("t", "u")), triggers=["t"])

    def test_endless(self) -> None:
        """A cycle of andEvery alone would go on for ever."""
        (finding,) = self.assertFound(
            {
                "t": task(andEvery="u"),
                "u": task(andEvery="t"),
            },
            ("endless", ("t", "u")),
            triggers=["t"],
        )

        self.assertIn("without an end", str(finding))

    def test_runs_itself(self) -> None:
        """A task that would run itself is found, too."""
        self.assertFound({"t": task(andEvery="t")}, ("endless", ("t",)), triggers=["t"])

    def test_always_abandoned(self) -> None:
        """A task whose unless has surely fired before its after is complete is found."""
        for configuration in (
            {"t": task("a", "b", unless=["a"])},
            {"t": task("a", unless=["a"])},
            {"s": task("a", "b"), "t": task("s", unless=["b"])},
        ):
            self.assertFound(configuration, ("always abandoned", ("t",)))

    def test_not_always_abandoned(self) -> None:
        """It is not found where one of the triggers of unless may still come later, or never."""
        self.assertFound({"t": task("a", "b", unless=["a", "c"]), "u": task("c", unless=[])})

    def test_history_of_what_is_fired_from_outside(self) -> None:
        """A cascade that somebody also fires by hand says nothing about what was before it."""
        self.assertFound({"s": task("a"), "t": task("s", unless=["a"])}, triggers=["a", "s"])

    @PATIENT
    @given(
        st.dictionaries(
            st.sampled_from("tuvw"),
            st.lists(st.sampled_from("abtuvw"), min_size=1, max_size=3, unique=True),
        )
    )
    def test_never_runs_as_played(self, afters: dict[str, list[str]]) -> None:
        """A task is found to never run if, and only if, firing all and every cascade leaves it."""
        fired = {"a", "b", "t", "u", "v", "w"} - afters.keys()
        ran: set[str] = set()
        for _ in afters:
            ran |= {name for name, after in afters.items() if fired | ran >= set(after)}

        found = check({name: task(*after) for name, after in afters.items()})

        never = {name for kind, names in kinds(found) if kind == "never runs" for name in names}
        self.assertEqual(never, afters.keys() - ran)


class CycleTests(SynchronousTestCase):
    """Finding cycles."""

    @PATIENT
    @given(
        st.dictionaries(st.sampled_from("abcde"), st.sets(st.sampled_from("abcde")), min_size=5)
    )
    def test_cycles(self, edges: dict[str, set[str]]) -> None:
        """Each cycle is one of the graph, and wherever there is one, one is found."""
        edges = {node: set() for node in "abcde"} | edges
        cycles = cycles_of({node: sorted(others) for node, others in edges.items()})

        for cycle in cycles:
            for one, other in pairwise(cycle):
                self.assertIn(other, edges[one])
        found = {knot for knot in _knots(edges) if any(knot.issuperset(each) for each in cycles)}
        self.assertEqual(found, _knots(edges))


def _knots(edges: Mapping[str, set[str]]) -> set[frozenset[str]]:
    """Find the nodes that reach themselves, together with those that reach them and back."""
    reach = {node: set(others) for node, others in edges.items()}
    for middle in edges:
        for node in edges:
            if middle in reach[node]:
                reach[node] |= reach[middle]
    return {
        frozenset(other for other in edges if other in reach[node] and node in reach[other])
        for node in edges
        if node in reach[node]
    }


class LinkTests(SynchronousTestCase):
    """What a task waits for."""

    def test_directives(self) -> None:
        """An andEvery is among what its task waits for, and a set is put in order."""
        self.assertEqual(
            links_of(
                {"t": {"after": {"b", "a"}, "andEvery": "c", "unless": ("d", "a"), "run": ""}}
            ),
            {"t": TaskLinks("t", ("a", "b", "c"), ("d", "a"), "c")},
        )

    def test_triggers(self) -> None:
        """Each trigger that touches a task is named once."""
        links = links_of({"t": task("a", "b", unless=["c", "a"])})

        self.assertEqual(links["t"].triggers, ("a", "b", "c"))


class GraphTests(SynchronousTestCase):
    """The picture of a configuration."""

    def test_configuration(self) -> None:
        """Triggers are round, tasks are square, and the arrows say what they mean."""
        self.assertEqual(
            graph(SURVEY).splitlines(),
            [
                "flowchart LR",
                '    trigger0(["first"])',
                '    trigger1(["last"])',
                '    trigger2(["page"])',
                '    trigger3(["stopped"])',
                '    task0["t_import"]',
                '    task1["t_alert"]',
                "    trigger0 --> task0",
                "    trigger1 --> task0",
                "    task0 --> task1",
                "    trigger2 ==>|and every| task1",
                "    trigger3 -.->|unless| task1",
            ],
        )

    def test_live(self) -> None:
        """With the instances of a session, tasks tell their statuses and have their colours."""
        drawn = graph(
            SURVEY,
            [("t_import", "finished"), *[("t_alert", "unstarted")] * 2, ("t_alert", "failed")],
            fired=["first", "t_import", "unused"],
        )

        self.assertIn('task0["t_import<br/>1 finished"]', drawn)
        self.assertIn('task1["t_alert<br/>1 failed<br/>2 unstarted"]', drawn)
        self.assertIn("class task1 failed", drawn)
        self.assertIn("class task0 finished", drawn)
        self.assertIn("class trigger0 fired", drawn)
        self.assertNotIn("unused", drawn)

    def test_session(self) -> None:
        """A manager draws its session, as of the snapshot."""
        test = TriggerAssertions()
        manager = test.open_session(
            configuration={"t": {"after": ["a", "b"], "run": "builtins:print"}}
        )
        test.fire("a")

        self.assertIn('task0["t<br/>1 unstarted"]', manager.graph())
        self.assertIn("class trigger0 fired", manager.graph())

    def test_statuses_of_ones_own(self) -> None:
        """A status that a task has set for itself is told, without a colour."""
        drawn = graph(SURVEY, [("t_import", "on hold")])

        self.assertIn("1 on hold", drawn)
        self.assertNotIn("class ", drawn)

    def test_names_are_text(self) -> None:
        """Nothing in a name has a meaning for Mermaid."""
        drawn = graph({'t"]; click x <b>': task("end", "é #1")})

        self.assertIn('(["end"])', drawn)
        self.assertIn('(["é #35;1"])', drawn)
        self.assertIn('["t#34;#93;#59; click x #60;b#62;"]', drawn)
