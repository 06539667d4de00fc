"""The commands that are about chains alone; `show` and `why` know chains as well."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted_dispatcher.chains import StatePlan
from twisted_dispatcher.chains.configuration import Configuration, configurations
from twisted_dispatcher.chains.graph import mermaid
from twisted_dispatcher.chains.versions import plan_states
from twisted_dispatcher.chainstore import IChainStore
from twisted_dispatcher.cli import chainforms, chaintables, options
from twisted_dispatcher.cli.application import look_here
from twisted_dispatcher.cli.asking import ask_store
from twisted_dispatcher.cli.inspecting import listing, tell_chain
from twisted_dispatcher.cli.options import command
from twisted_dispatcher.cli.screen import ConsoleScreen
from twisted_dispatcher.cli.statuses import FAILED
from twisted_dispatcher.durable.codec import Codec
from twisted_dispatcher.errors import DispatcherError, UnknownChainType
from twisted_dispatcher.status import ChainStatus, ChainStory


@listing.command("chains")
@options.STORE
@options.CHAIN_TYPE
@options.STATE
@options.RESOURCE
@options.ONLY_PARKED
@options.LIMIT
@options.AS_JSON
def list_chains(
    store_url: str, chain_type: str | None, limit: int, as_json: bool, **which: Any
) -> None:
    """List chains, the newest first."""
    if which["pair"] is not None and chain_type is None:
        raise options.UsageError("--resource needs --type: chains are found within their type")

    def tell(found: Any) -> None:
        if as_json:
            _write([chainforms.chain_form(each) for each in found])
        else:
            chaintables.chain_table(_screen(), found)
        if len(found) == limit:
            options.say(f"(there may be more than these {limit}: see --limit)", aside=True)

    ask_store(
        store_url,
        lambda store, clock: ChainStatus(store, clock).chains(chain_type, limit=limit, **which),
        tell,
    )


@listing.command("states")
@options.STORE
@options.CHAIN_TYPE
@options.AS_JSON
def list_states(store_url: str, chain_type: str | None, as_json: bool) -> None:
    """Count chains by their type and state."""

    def tell(counts: dict[tuple[str, str], int]) -> None:
        if as_json:
            _write(chainforms.chain_counts_form(counts))
        else:
            chaintables.chain_count_table(_screen(), counts)

    ask_store(store_url, lambda store, clock: ChainStatus(store, clock).counts(chain_type), tell)


@command.command()
@options.CHAIN
@options.SIGNAL
@options.STORE
@options.VALUE
@options.AS_JSON
def signal(chain_id: str, name: str, store_url: str, value: Any, as_json: bool) -> None:
    """
    Tell a chain that something has arrived that its transitions wait for, or will wait for.

    It is remembered until a transition that waits for it is made.
    """
    text = Codec().encode(value, "value")
    _change(store_url, chain_id, as_json, lambda s, now: s.signal(chain_id, name, text, now))


@command.command()
@options.CHAIN
@options.STORE
@options.AS_JSON
def disable(chain_id: str, store_url: str, as_json: bool) -> None:
    """Keep a chain from being executed, until it is enabled again."""
    _change(store_url, chain_id, as_json, lambda s, now: s.set_disabled(chain_id, True, now))


@command.command()
@options.CHAIN
@options.STORE
@options.AS_JSON
def enable(chain_id: str, store_url: str, as_json: bool) -> None:
    """Allow a chain to be executed again; it is due at once."""
    _change(store_url, chain_id, as_json, lambda s, now: s.set_disabled(chain_id, False, now))


@command.command()
@options.CHAIN
@options.STORE
@options.AS_JSON
def resume(chain_id: str, store_url: str, as_json: bool) -> None:
    """Let a chain go on that was parked for failing too often; it is due at once."""
    _change(store_url, chain_id, as_json, lambda s, now: s.resume(chain_id, now))


def _change(
    url: str,
    chain_id: str,
    as_json: bool,
    change: Callable[[IChainStore, float], Awaitable[object]],
) -> None:
    """Change a chain, and tell how it stands then."""

    async def ask(store: Any, clock: Any) -> ChainStory:
        status = ChainStatus(store, clock)
        await change(store.chains, clock.seconds())
        story = await status.story(chain_id)
        assert story is not None, "what was changed is there"
        return story

    ask_store(url, ask, lambda story: tell_chain(story, as_json))


@command.command()
@options.CHAIN_CONFIGS
@options.OF_TYPE
@options.COUNT_IN
def graph(chain_configs: Any, chain_type: str | None, store_url: str | None) -> None:
    """
    Draw the states and transitions of a type of chain, as Mermaid text.

    The configuration is a TOML or JSON file, or MODULE:NAME.
    """
    configuration = _configuration(chain_configs, chain_type)
    if store_url is None:
        options.say(mermaid(configuration).rstrip())
        return
    own = configuration.chain_type

    async def ask(store: Any, clock: Any) -> str:
        counts = await ChainStatus(store, clock).counts(own)
        return mermaid(configuration, {state: number for (_, state), number in counts.items()})

    ask_store(store_url, ask, lambda text: options.say(text.rstrip()))


@command.command()
@options.CHAIN_CONFIGS
@options.OF_TYPE
@options.STORE
@options.RENAMED
@options.AS_JSON
def plan(
    chain_configs: Any,
    chain_type: str | None,
    store_url: str,
    renamed: dict[str, str],
    as_json: bool,
) -> None:
    """
    Tell what a configuration would do to the chains in a store, and change nothing.

    It ends with status 1 when chains are in states that are gone and renamed to none. The
    configuration is a TOML or JSON file, or MODULE:NAME.
    """
    configuration = _configuration(chain_configs, chain_type)
    own, every = configuration.chain_type, {**configuration.renamed, **renamed}

    async def ask(store: Any, clock: Any) -> StatePlan:
        counts = await ChainStatus(store, clock).counts(own)
        by_state = {state: number for (_, state), number in counts.items()}
        return plan_states(own, configuration.states, by_state, every)

    def tell(found: StatePlan) -> None:
        if as_json:
            _write(chainforms.plan_form(found))
        else:
            chaintables.plan_text(_screen(), found)
        if found.vanished:
            raise SystemExit(FAILED)

    ask_store(store_url, ask, tell)


def _configuration(chain_configs: Any, chain_type: str | None) -> Configuration:
    look_here()
    given = Path(chain_configs) if isinstance(chain_configs, str) else chain_configs
    try:
        found = configurations(given)
        if chain_type is None and len(found) == 1:
            return next(iter(found.values()))
        if chain_type not in found:
            raise UnknownChainType(chain_type, found)
        return found[chain_type]
    except DispatcherError as error:
        options.fail(error)


def _screen() -> ConsoleScreen:
    return ConsoleScreen(progress=False)


def _write(form: Any) -> None:
    options.say(json.dumps(form, indent=2))
