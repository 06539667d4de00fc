"""The commands that change something in a store: `replay`, `skip` and `migrate`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from twisted_dispatcher.cli import options
from twisted_dispatcher.cli.asking import ask_store, under_reactor
from twisted_dispatcher.cli.inspecting import tell_explained
from twisted_dispatcher.cli.options import command
from twisted_dispatcher.durable.dispatcher import DurableDispatcher
from twisted_dispatcher.errors import SchemaTooOld
from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.status import Explained, Status
from twisted_dispatcher.stores import open_store


@command.command()
@options.DELIVERY
@options.STORE
@options.CONTEXT
@options.AS_JSON
def replay(delivery_id: int, store_url: str, context: Any, as_json: bool) -> None:
    """
    Have a delivery that is dead, skipped or done run again.

    It runs as soon as a worker on this store has room for it.
    """
    _change(store_url, delivery_id, lambda mender: mender.replay(delivery_id, context), as_json)


@command.command()
@options.DELIVERY
@options.STORE
@options.AS_JSON
def skip(delivery_id: int, store_url: str, as_json: bool) -> None:
    """Give a delivery up that is not settled, or is dead, so that its event goes on without it."""
    _change(store_url, delivery_id, lambda mender: mender.skip(delivery_id), as_json)


def _change(
    url: str,
    delivery_id: int,
    change: Callable[[DurableDispatcher], Awaitable[None]],
    as_json: bool,
) -> None:
    """Change a delivery, and tell how it stands then."""

    async def ask(store: IStore, clock: Any) -> Explained:
        await change(DurableDispatcher(store, clock=clock, worker=False))
        return await Status(store, clock).why(delivery_id)

    ask_store(url, ask, lambda explained: tell_explained(explained, as_json))


@command.command()
@options.STORE
@options.AS_JSON
def migrate(store_url: str, as_json: bool) -> None:
    """
    Bring the tables of a store up to date, and make them where there are none.

    Stop what works on the store before.
    """

    def tell(before: SchemaTooOld | None) -> None:
        if as_json:
            found = None if before is None else before.found
            options.say(json.dumps({"migrated": before is not None, "from": found}, indent=2))
        elif before is None:
            options.say("the tables are up to date")
        elif before.found:
            options.say(f"the tables were of version {before.found}, and are of {before.needed}")
        else:
            options.say(f"the tables were made, of version {before.needed}")

    under_reactor(lambda reactor: _migrate(store_url, reactor), tell)


async def _migrate(url: str, reactor: Any) -> SchemaTooOld | None:
    """Migrate a store, and give what was the matter with it before."""
    try:
        await open_store(url, migrate=False, reactor=reactor).close()
    except SchemaTooOld as error:
        await open_store(url, reactor=reactor).close()
        return error
    return None
