"""Callers that share work: each does one piece after the other, until there is none left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from time import perf_counter

from twisted.internet.defer import Deferred, gatherResults

Do = Callable[[], Awaitable[object]]


async def shared(pieces: int, doers: Iterable[Do]) -> float:
    """Has some share so many pieces of work; gives the longest wait for one, in seconds."""
    left = pieces
    longest = 0.0

    async def go_on(do: Do) -> None:
        nonlocal left, longest
        while left > 0:
            left -= 1
            began = perf_counter()
            await do()
            longest = max(longest, perf_counter() - began)

    everybody = [Deferred.fromCoroutine(go_on(do)) for do in doers]
    await gatherResults(everybody, consumeErrors=True)
    return longest
