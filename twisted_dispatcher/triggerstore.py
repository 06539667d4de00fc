"""`ITriggerStore`: the seam behind which trigger sessions live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Interface

from twisted_dispatcher.records import Accepted, Worker
from twisted_dispatcher.triggerrecords import (
    InstanceRow,
    SessionRow,
    SessionStep,
    SessionSummary,
)


class ITriggerStore(Interface):
    """
    The place where sessions live: the attribute ``triggers`` of an `IStore` that can keep them.

    What `IStore` says of threads, time, Deferreds, group commit and ways of failing holds here
    too.
    """

    def change(
        step: SessionStep, worker: Worker, now: float
    ) -> Deferred[tuple[Any, Sequence[Accepted]]]:
        """
        Load a session, take a step, store what it has become, and accept events: all or nothing.

        Steps of one session are taken one after another, each on what the one before has left,
        whoever asks for them. A step is given the instances that it names, and those that wait of
        the tasks and marks that it tells; how long it takes does not depend on how many others
        there are. With a key of its own it is taken once for each key, as long as events keep
        their keys.

        :return: a Deferred that fires with the step's answer and what became of its events. It
            fails with what the step raised; nothing of it is stored then, and steps that were
            asked for beside it are not harmed.
        """

    def session(uid: str, live: bool = False) -> Deferred[tuple[SessionRow, list[InstanceRow]]]:
        """
        Give a session with its instances, as they stand at one time.

        :param live: only the instances that are not resolved.
        :return: the Deferred fails with `UnknownSession`.
        """

    def active(uid: str) -> Deferred[int]:
        """Tell how many instances of a session are scheduled or running."""

    def sessions(
        prefix: str = "", after: str = "", limit: int = 100
    ) -> Deferred[list[SessionSummary]]:
        """
        List sessions by their uids, in order.

        :param prefix: only those whose uid begins so.
        :param after: only those that stand behind this uid.
        """

    def forget(uid: str, before: float | None = None) -> Deferred[bool]:
        """
        Delete a session with its instances.

        :param before: only if nothing has happened to it since before this time, and nothing of
            it is scheduled or running.
        :return: a Deferred that fires with whether it was deleted.
        """
