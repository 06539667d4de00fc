"""Chains, each with its resources, its history, and why it has not gone on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from twisted_dispatcher.chainrecords import HistoryRow
from twisted_dispatcher.django.admin.chain_filters import (
    Attention,
    ChainState,
    ChainType,
    Due,
    NextUpdate,
    found_by_resource,
)
from twisted_dispatcher.django.admin.looks import json_block, table, text_block
from twisted_dispatcher.django.admin.stored import Part, StoredAdmin
from twisted_dispatcher.django.admin.times import NOTHING, local_time, time_column
from twisted_dispatcher.django.conf import conf
from twisted_dispatcher.django.reading import story_of_chain
from twisted_dispatcher.status import ChainStory
from twisted_dispatcher.status.standing import pair_text


class ChainAdmin(StoredAdmin):
    """Lists chains with their resources and when they go on; a page has the history of one."""

    list_display = (
        *("id", "chain_type", "state", "resources"),
        *("next_update_time", "due_time", "flags", "entered_time"),
    )
    list_filter = (ChainType, ChainState, NextUpdate, Due, Attention)
    ordering = ("-number",)
    search_fields = ("id",)
    search_help_text = "The id of a chain, or a resource as type=id"
    fields = (
        *("id", "chain_type", "state", "resources", "version", "definition"),
        *("next_update_time", "due_time", "flags", "created_time", "entered_time"),
        *("tried_time", "error_block"),
    )

    next_update_time = time_column("next_update")
    due_time = time_column("due")
    created_time = time_column("created")
    entered_time = time_column("entered", "in this state since")
    tried_time = time_column("tried", "last attempt")

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """Find by what the store has an index of."""
        return found_by_resource(queryset, search_term.strip()), False

    @admin.display(description="resources")
    def resources(self, chain: Any) -> str:
        """Show what the chain is about."""
        return pair_text(tuple(map(tuple, json.loads(chain.pairs))))

    @admin.display(description="flags")
    def flags(self, chain: Any) -> str:
        """Show what keeps it from going on, or has gone wrong."""
        flags = [name for name in ("ended", "disabled", "parked") if getattr(chain, name)]
        if chain.failures:
            flags.append(f"failed {chain.failures} times")
        return ", ".join(flags) or NOTHING

    @admin.display(description="traceback of the last failure")
    def error_block(self, chain: Any) -> SafeString | str:
        """Show the traceback."""
        return text_block(chain.error) or NOTHING

    def standing_parts(self, request: HttpRequest, row: Any) -> Iterable[Part]:
        """Give how the chain stands, why it was refused, what has arrived, and its history."""
        story = story_of_chain(row.id, conf().database)
        if story is not None:
            yield Part("How it stands", story.reason.text)
            yield from _parts(story)


def _parts(story: ChainStory) -> Iterable[Part]:
    if story.refusals:
        refused = [(name, ", ".join(map(str, why))) for name, why in story.refusals.items()]
        yield Part("Refused at the last attempt", table(("transition", "errors"), refused))
    if story.signals:
        arrived = [(name, json_block(json.dumps(value))) for name, value in story.signals.items()]
        yield Part("Signals that have arrived", table(("signal", "value"), arrived))
    heads = ("version", "at", "from", "to", "transition", "requested by")
    history = table(heads, map(_transition, reversed(story.history)))
    yield Part("History", history if story.history else "It has made no transition yet.")


def _transition(row: HistoryRow) -> Iterable[Any]:
    yield row.version
    yield local_time(row.at)
    yield from (row.previous, row.state, row.transition, row.requested_by)
