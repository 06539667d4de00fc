"""Our trigger sessions: a dispatcher on a store, and what is fired in its sessions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from time import perf_counter
from typing import Any

from tests.benchmarks.contenders import WrongCalls
from tests.benchmarks.on_stores.callers import shared
from tests.benchmarks.on_stores.opened import OnStore
from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.triggers import storage_backends, trigger_managers

RUN = "tests.benchmarks.triggers.ours:run"
# An instance that goes on waiting, whatever is fired.
WAITING: Mapping[str, Any] = {"t_wait": {"after": ["fired", "never"], "run": RUN}}
# A join, then one cascade after the other.
CASCADES: Mapping[str, Any] = {
    "t_first": {"after": ["one", "other"], "run": RUN},
    "t_second": {"after": ["t_first"], "run": RUN},
    "t_third": {"after": ["t_second"], "run": RUN},
}
EVERY: Mapping[str, Any] = {"t_every": {"after": [], "andEvery": "fired", "run": RUN}}
KWARGS = {"number": 12345}


def run(context: Any) -> dict[str, int]:
    """Give a result: all that the tasks of the benchmarks do."""
    return {"done": 1}


class Sessions(OnStore):
    """A store with a dispatcher, and new sessions in it."""

    def __init__(self, store: IStore) -> None:
        super().__init__(store)
        self._numbers = count()

    async def new(self, configuration: Mapping[str, Any]) -> Any:
        """Gives the manager of a new session."""
        uid = f"session:{next(self._numbers)}"
        storage = storage_backends.get("default", uid, self.dispatcher)
        manager = trigger_managers.get("default", storage)
        await manager.update_configuration(configuration)
        return manager

    async def fire(self, managers: list[Any], fires: int) -> None:
        """Fires so often altogether; each session waits for its fire before the next one."""
        await shared(fires, [_firing(manager) for manager in managers])

    async def play(self, sessions: int, at_once: int) -> None:
        """Takes so many sessions from their configuration to their last cascade."""
        await shared(sessions, [self._session] * min(at_once, sessions))

    async def _session(self) -> None:
        manager = await self.new(CASCADES)
        await manager.fire("one", KWARGS)
        await manager.fire("other", KWARGS)
        await manager.join_all()
        await finished(manager, 3)

    async def growing(self, runs: int, hundred: int = 100) -> float:
        """Runs an instance for each of so many fires; gives the last hundred's cost / the first's.

        A hundred costs what it takes until all of its instances are done.  C{join_all} reads the
        whole session at its end, which is taken off.
        """
        manager = await self.new(EVERY)
        costs = []
        for _ in range(runs // hundred):
            began = perf_counter()
            for _ in range(hundred):
                await manager.fire("fired", KWARGS)
            await manager.join_all()
            joined = perf_counter()
            await manager.storage.load()
            costs.append(joined - began - (perf_counter() - joined))
        await finished(manager, runs)
        return costs[-1] / costs[0]


def _firing(manager: Any) -> Callable[[], Awaitable[Any]]:
    async def fire() -> None:
        await manager.fire("fired", KWARGS)

    return fire


async def finished(manager: Any, expected: int) -> None:
    """Raises WrongCalls unless so many instances have finished."""
    storage = await manager.storage.load()
    done = sum(each.status == "finished" for each in storage.instances.values())
    if done != expected:
        raise WrongCalls(f"{done} instances have finished, not {expected}")
