"""The commands that look into trigger sessions and change nothing: `list sessions`, `session`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from twisted_dispatcher.cli import options, sessiontables
from twisted_dispatcher.cli.asking import ask_store
from twisted_dispatcher.cli.inspecting import NotThere, listing
from twisted_dispatcher.cli.options import command
from twisted_dispatcher.cli.screen import ConsoleScreen
from twisted_dispatcher.durable.dispatcher import DurableDispatcher
from twisted_dispatcher.errors import UnknownSession, UnknownTask
from twisted_dispatcher.triggerrecords import SessionSummary
from twisted_dispatcher.triggers import TriggerStorage, list_sessions
from twisted_dispatcher.triggers.drawing import graph_of
from twisted_dispatcher.triggers.explaining import Explanation, explain

T = TypeVar("T")


@listing.command("sessions")
@options.STORE
@options.PREFIX
@options.LIMIT
@options.AS_JSON
def list_all(store_url: str, prefix: str, limit: int, as_json: bool) -> None:
    """List trigger sessions by their uids, and how many of their instances are not resolved."""

    def tell(found: Sequence[SessionSummary]) -> None:
        if as_json:
            _write([sessiontables.summary_form(each) for each in found])
        else:
            sessiontables.summary_table(_screen(), found)
        if len(found) == limit:
            options.say(f"(there may be more than these {limit}: see --limit)", aside=True)

    ask_store(
        store_url,
        lambda store, clock: list_sessions(_reader(store, clock), prefix, limit=limit),
        tell,
    )


@command.group("session")
def session() -> None:
    """Look into one trigger session."""


@session.command("show")
@options.SESSION
@options.STORE
@options.FIRED_WITH
@options.AS_JSON
def show_session(uid: str, store_url: str, payload: bool, as_json: bool) -> None:
    """Tell all of a session: its instances, what they lack, and what has failed."""

    def tell(storage: TriggerStorage) -> None:
        if as_json:
            _write(sessiontables.session_form(storage, payload))
        else:
            sessiontables.session_text(_screen(), storage, payload)

    _ask_session(store_url, uid, _itself, tell)


@session.command("why")
@options.SESSION
@options.TASK
@options.STORE
@options.AS_JSON
def why_session(uid: str, task: str, store_url: str, as_json: bool) -> None:
    """Say why a task of a session has not run: what is missing, and what stands against it."""

    async def ask(storage: TriggerStorage) -> Explanation:
        if task not in storage.tasks:
            raise UnknownTask(uid, task)
        return explain(storage.session, storage.tasks[task])

    def tell(explanation: Explanation) -> None:
        if as_json:
            _write(sessiontables.explanation_form(explanation))
        else:
            options.say(str(explanation))

    _ask_session(store_url, uid, ask, tell)


@session.command("graph")
@options.SESSION
@options.STORE
def graph_session(uid: str, store_url: str) -> None:
    """Draw a session as it stands, as a Mermaid flowchart."""
    _ask_session(store_url, uid, _itself, lambda storage: options.say(graph_of(storage).rstrip()))


async def _itself(storage: TriggerStorage) -> TriggerStorage:
    return storage


def _ask_session(
    url: str,
    uid: str,
    ask: Callable[[TriggerStorage], Awaitable[T]],
    tell: Callable[[T], object],
) -> None:
    async def ask_loaded(store: Any, clock: Any) -> T:
        try:
            storage = await TriggerStorage(uid, _reader(store, clock)).load()
        except UnknownSession as error:
            raise NotThere(
                f"there is no session {uid!r}: `twisted-dispatcher list sessions` lists them"
            ) from error
        return await ask(storage)

    ask_store(url, ask_loaded, tell)


def _reader(store: Any, clock: Any) -> DurableDispatcher:
    """Give a dispatcher that is never started: what is only read needs no worker."""
    return DurableDispatcher(store, clock=clock, worker=False)


def _screen() -> ConsoleScreen:
    return ConsoleScreen(progress=False)


def _write(form: Any) -> None:
    options.say(json.dumps(form, indent=2, default=str))
