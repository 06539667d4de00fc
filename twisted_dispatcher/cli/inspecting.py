"""The commands that look into a store and change nothing: `list`, `show` and `why`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from twisted_dispatcher.cli import forms, options, tables
from twisted_dispatcher.cli.asking import ask_store
from twisted_dispatcher.cli.chainforms import chain_story_form
from twisted_dispatcher.cli.chaintables import chain_text, chain_why_text
from twisted_dispatcher.cli.options import command
from twisted_dispatcher.cli.screen import ConsoleScreen
from twisted_dispatcher.errors import DispatcherError, UnknownDelivery
from twisted_dispatcher.status import (
    ChainStatus,
    ChainStory,
    Counts,
    Explained,
    Status,
    Story,
)

T = TypeVar("T")


class NotThere(DispatcherError):
    """There is nothing of that name in the store."""


@command.group("list")
def listing() -> None:
    """List what is in a store."""


@listing.command("events")
@options.STORE
@options.OPEN
@options.LIMIT
@options.AS_JSON
def list_events(store_url: str, open: bool | None, limit: int, as_json: bool) -> None:
    """List events, the newest first."""
    _list(
        store_url,
        lambda status: status.events(open=open, limit=limit),
        limit,
        forms.event_form if as_json else None,
        tables.event_table,
    )


@listing.command("deliveries")
@options.STORE
@options.STATUS
@options.KEY
@options.HANDLER
@options.LIMIT
@options.AS_JSON
def list_deliveries(store_url: str, limit: int, as_json: bool, **which: Any) -> None:
    """
    List deliveries, the newest first: one event for one handler each.

    Of those to one handler that are done, the store may look at the newest 100,000 of all alone.
    """
    _list(
        store_url,
        lambda status: status.deliveries(limit=limit, **which),
        limit,
        forms.delivery_form if as_json else None,
        tables.delivery_table,
    )


@listing.command("dead")
@options.STORE
@options.HANDLER
@options.LIMIT
@options.AS_JSON
def list_dead(store_url: str, handler: str | None, limit: int, as_json: bool) -> None:
    """List what is dead, the newest first, why, and what to do about it."""
    _list(
        store_url,
        lambda status: status.dead(handler=handler, limit=limit),
        limit,
        forms.explained_form if as_json else None,
        tables.explained_table,
    )


@listing.command("waiting")
@options.STORE
@options.HANDLER
@options.LIMIT
@options.AS_JSON
def list_waiting(store_url: str, handler: str | None, limit: int, as_json: bool) -> None:
    """List what waits, what is due first in front, and what for, or until when."""
    _list(
        store_url,
        lambda status: status.waiting(handler=handler, limit=limit),
        limit,
        forms.explained_form if as_json else None,
        tables.explained_table,
    )


@listing.command("counts")
@options.STORE
@options.AS_JSON
def list_counts(store_url: str, as_json: bool) -> None:
    """Count the events that are open, and the deliveries that are not done."""

    def tell(counts: Counts) -> None:
        if as_json:
            _write(forms.counts_form(counts))
        else:
            tables.counts_table(_screen(), counts)

    ask_store(store_url, lambda store, clock: Status(store, clock).counts(), tell)


@command.command()
@options.EVENT
@options.STORE
@options.PAYLOAD
@options.AS_JSON
def show(event: str, store_url: str, payload: bool, as_json: bool) -> None:
    """
    Tell all of one event, or of one chain.

    Of an event: its deliveries in order, how each stands, and the errors. Of a chain: how it
    stands, which transitions were refused and why, and those that it has made. What is given is
    looked for as the key of an event first, then as the id of one, then as that of a chain.
    """

    async def ask(store: Any, clock: Any) -> Story | ChainStory:
        status = Status(store, clock)
        story = await status.story(key=event)
        if story is None and options.is_id(event):
            story = await status.story(event_id=int(event))
        return story or await _chain_of(store, clock, event)

    def tell(story: Story | ChainStory) -> None:
        if isinstance(story, ChainStory):
            if as_json:
                _write(chain_story_form(story))
            else:
                chain_text(_screen(), story)
        elif as_json:
            _write(forms.story_form(story, payload))
        else:
            tables.story_text(_screen(), story, payload)

    ask_store(store_url, ask, tell)


@command.command()
@options.EVENT_OR_DELIVERY
@options.STORE
@options.AS_JSON
def why(what: str, store_url: str, as_json: bool) -> None:
    """
    Say what keeps an event, a delivery or a chain from going on, and what to do about it.

    What is given is looked for as the key of an event first, then as the id of a delivery, then
    as that of a chain.
    """

    async def ask(store: Any, clock: Any) -> Story | Explained | ChainStory:
        status = Status(store, clock)
        story = await status.story(key=what)
        if story is not None:
            return story
        try:
            if options.is_id(what):
                return await status.why(int(what))
        except UnknownDelivery:
            pass
        return await _chain_of(store, clock, what)

    def tell(found: Story | Explained | ChainStory) -> None:
        if isinstance(found, ChainStory):
            tell_chain(found, as_json)
        elif isinstance(found, Story):
            if as_json:
                _write(forms.story_form(found))
            else:
                tables.why_text(_screen(), found)
        else:
            tell_explained(found, as_json)

    ask_store(store_url, ask, tell)


def tell_chain(story: ChainStory, as_json: bool) -> None:
    """Tell how a chain stands."""
    if as_json:
        _write(chain_story_form(story))
    else:
        chain_why_text(_screen(), story)


def tell_explained(explained: Explained, as_json: bool) -> None:
    """Tell how a delivery stands."""
    if as_json:
        _write(forms.explained_form(explained))
    else:
        tables.explained_text(_screen(), explained)


async def _chain_of(store: Any, clock: Any, name: str) -> ChainStory:
    if getattr(store, "chains", None) is not None:
        story = await ChainStatus(store, clock).story(name)
        if story is not None:
            return story
    or_id = " or the id" if options.is_id(name) else ""
    raise NotThere(
        f"no event has the key{or_id} {name!r}, and no delivery or chain "
        "the id: `twisted-dispatcher list events` lists the newest, and `list deliveries` "
        "and `list chains` likewise"
    )


def _list(
    url: str,
    ask: Callable[[Status], Awaitable[Sequence[T]]],
    limit: int,
    form: Callable[[T], forms.Form] | None,
    table: Callable[[ConsoleScreen, Sequence[T]], object],
) -> None:
    """Ask for a list, and write it in a form for programs or as a table for people."""

    async def ask_status(store: Any, clock: Any) -> Sequence[T]:
        return await ask(Status(store, clock))

    def tell(found: Sequence[T]) -> None:
        if form is not None:
            _write([form(each) for each in found])
        else:
            table(_screen(), found)
        if len(found) == limit:
            options.say(f"(there may be more than these {limit}: see --limit)", aside=True)

    ask_store(url, ask_status, tell)


def _screen() -> ConsoleScreen:
    return ConsoleScreen(progress=False)


def _write(form: Any) -> None:
    options.say(json.dumps(form, indent=2))
