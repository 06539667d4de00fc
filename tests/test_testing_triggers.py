"""The assertions on trigger sessions, and the tasks that come with them."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher.testing.triggers import TriggerAssertions

TASKS = "twisted_dispatcher.testing.tasks:"
ONE = "twisted_dispatcher.testing.tasks:PassThruTask"


class TriggerAssertionTests(TriggerAssertions, SynchronousTestCase):
    """Each assertion, where it holds and where it does not."""

    def session_with(self, task: str, *after: str, **directives: Any) -> None:
        """Open a session with one task, and fire what it waits for."""
        given = {"after": after or ("go",), "run": f"{TASKS}{task}", **directives}
        self.open_session(configuration={"t": given})

    def complaint(self, assertion: Any, *arguments: Any) -> str:
        """Give what an assertion says when it fails."""
        return str(self.assertRaises(self.failureException, assertion, *arguments))

    def test_pass_through(self) -> None:
        """PassThruTask gives its kwargs; the result of an instance is compared (T251, T254)."""
        self.session_with("PassThruTask")
        self.fire("go", {"a": 1})
        self.let_run()

        self.assertInstanceFinished("t#0")
        self.assertInstanceFinished("t#0", {"kwargs": {"go": {"a": 1}}})
        said = self.complaint(self.assertInstanceFinished, "t#0", {"kwargs": {}})
        self.assertIn("t#0 did not finish with {'kwargs': {}}", said)
        self.assertIn("  result: {'kwargs': {'go': {'a': 1}}}", said)

    def test_dev_null(self) -> None:
        """DevNullTask gives nothing, which is an empty result (T254)."""
        self.session_with("DevNullTask")
        self.fire("go")
        self.let_run()

        self.assertInstanceFinished("t#0", {})

    def test_failing(self) -> None:
        """FailingTask fails with a RuntimeError, whose type is compared (T251, T254)."""
        self.session_with("FailingTask")
        self.fire("go")
        self.let_run()

        self.assertInstanceFailed("t#0")
        self.assertInstanceFailed("t#0", KeyError, RuntimeError)
        self.assertIn(
            "t#0 did not fail with builtins.KeyError",
            self.complaint(self.assertInstanceFailed, "t#0", KeyError),
        )
        self.assertIn(
            "t#0 is failed, not finished", self.complaint(self.assertInstanceFinished, "t#0")
        )

    def test_skipping(self) -> None:
        """SelfSkippingTask skips itself (T254)."""
        self.session_with("SelfSkippingTask")
        self.fire("go")
        self.let_run()

        self.assertInstanceSkipped("t#0")
        self.assertUnresolvedTasks([])

    def test_retrying(self) -> None:
        """SelfRetryingTask retries as often as it is told, and then passes through (T254)."""
        self.session_with("SelfRetryingTask", "go", "retries")
        self.fire("retries", {"max": 2})
        self.fire("go")
        self.let_run()

        self.assertInstanceReplayed("t#0")
        self.assertInstanceReplayed("t#1")
        self.assertInstanceFinished("t#2")
        self.assertInstanceMissing("t#3")

    def test_waiting(self) -> None:
        """An instance that waits is unstarted, and unresolved together with its task (T253)."""
        self.session_with("PassThruTask", "go", "later")
        self.fire("go")
        self.let_run()

        self.assertInstanceUnstarted("t#0")
        self.assertInstanceStatus("t#0", "unstarted")
        self.assertUnresolvedTasks(["t"])
        self.assertUnresolvedInstances(["t#0"])
        self.assertIn("['t#0'], not []", self.complaint(self.assertUnresolvedInstances, []))

    def test_abandoned(self) -> None:
        """An instance whose unless has fired is abandoned (T251)."""
        self.session_with("PassThruTask", "go", unless=["stop"])
        self.fire("stop")

        self.assertInstanceAbandoned("t#0")

    def test_missing(self) -> None:
        """An instance that does not exist is missing; what there is instead is told (T252)."""
        self.session_with("PassThruTask", "go", "later")
        self.assertInstanceMissing("t#0")
        self.assertIn("no instance at all", self.complaint(self.assertInstanceUnstarted, "t#0"))
        self.fire("go")

        self.assertIn(
            "no instance t#1; there is t#0", self.complaint(self.assertInstanceUnstarted, "t#1")
        )
        self.assertIn(
            "there is an instance t#0", self.complaint(self.assertInstanceMissing, "t#0")
        )

    def test_two_sessions(self) -> None:
        """A second session may share the dispatcher and the clock of the first one."""
        self.session_with("PassThruTask")
        self.fire("go")
        self.let_run()
        self.open_session(
            "other",
            dispatcher=self.dispatcher,
            clock=self.clock,
            configuration={"t": {"after": ["go"], "run": ONE}},
        )

        self.assertInstanceMissing("t#0")

    def test_without_its_clock(self) -> None:
        """A dispatcher without its clock is refused."""
        self.session_with("PassThruTask")

        self.assertRaises(TypeError, self.open_session, "other", dispatcher=self.dispatcher)

    def test_finalizing(self) -> None:
        """A session may have another manager, by its name."""
        self.open_session(
            manager="finalizing",
            configuration={
                "t": {"after": ["go"], "run": ONE},
                "t_end": {"after": ["sessionFinalized"], "run": ONE},
            },
        )
        self.fire("go")
        self.let_run()

        self.assertInstanceFinished("t_end#0")
