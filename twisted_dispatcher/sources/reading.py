"""Reading what a source gives: plain or asynchronous, one after the other, and never ahead."""

from __future__ import annotations

import inspect
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
)
from types import GeneratorType
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred

from twisted_dispatcher.errors import InvalidSource, SourceBroke

_END: Final = object()
# What most sources give; it need not be asked what else it is.
_PLAIN: Final = (GeneratorType, list)

Items = Iterable[Any] | AsyncIterable[Any]


async def _no_matter() -> None:
    """Do nothing before a wait."""


def name_of_items(items: object) -> str:
    """Name a stream in reports: a generator by its function, anything else by its type."""
    return str(getattr(items, "__qualname__", None) or type(items).__qualname__)


def check_items(items: object, name: str) -> None:
    """
    Refuse what could be iterated over, but is one thing: a single declaration is, for one.

    A Deferred that has not fired would give itself, for ever.

    :raises InvalidSource: when it is.
    """
    if isinstance(items, _PLAIN):
        return
    if isinstance(items, Awaitable) and not hasattr(items, "__aiter__"):
        if inspect.iscoroutine(items):
            items.close()
        raise InvalidSource(
            f"{name} gives something of type {type(items).__name__}, which has to be waited for: "
            "await it, and give what comes of it"
        )
    if isinstance(items, (Mapping, str, bytes)):
        raise InvalidSource(
            f"{name} gives a single {type(items).__name__}, and not several things to go through: "
            "put it into a list, or yield it"
        )


class Reading:
    """
    One iteration over what a source gives, for ``async for``.

    What the source raises comes out as `SourceBroke`, so that it can be told from everything else.
    """

    def __init__(
        self,
        items: Items,
        name: str,
        before_waiting: Callable[[], Awaitable[object]] = _no_matter,
    ) -> None:
        """
        :param before_waiting: awaited when the next item is not there yet, before waiting for it.
        :raises InvalidSource: when it is nothing to iterate over.
        """
        self.name = name
        self.before_waiting = before_waiting
        self._plain: Iterator[Any] | None = None
        self._waiting: AsyncIterator[Any] | None = None
        check_items(items, name)
        try:
            if hasattr(items, "__aiter__"):
                self._waiting = items.__aiter__()
            else:
                self._plain = iter(items)
        except TypeError as error:
            raise InvalidSource(
                f"{name} gives {type(items).__name__}, which is nothing to iterate over: let it "
                "yield events, or return a list of them"
            ) from error

    def __aiter__(self) -> Reading:
        return self

    async def __anext__(self) -> Any:
        item = self._next_at_once() if self._waiting is None else await self._next_later()
        if item is _END:
            raise StopAsyncIteration
        return item

    def _next_at_once(self) -> Any:
        assert self._plain is not None
        try:
            return next(self._plain, _END)
        except Exception as error:
            raise SourceBroke(self.name, error) from error

    async def _next_later(self) -> Any:
        coming = Deferred.fromCoroutine(self._following())
        if not coming.called:
            await _prepare(self.before_waiting, coming)
        return await coming

    async def _following(self) -> Any:
        assert self._waiting is not None
        try:
            return await self._waiting.__anext__()
        except StopAsyncIteration:
            return _END
        except CancelledError:
            raise
        except Exception as error:
            raise SourceBroke(self.name, error) from error

    async def close(self) -> None:
        """
        Let a generator end here, as if nobody had wanted more.

        Anything else than a generator is left to whoever has made it.

        :raises SourceBroke: when the generator raises at that.
        """
        try:
            if inspect.isgenerator(self._plain):
                self._plain.close()
            elif inspect.isasyncgen(self._waiting):
                await self._waiting.aclose()
        except Exception as error:
            raise SourceBroke(self.name, error) from error


async def reading_of(
    give: Callable[[], Any],
    name: str,
    before_waiting: Callable[[], Awaitable[object]],
    *,
    may_be_none: bool = False,
) -> Reading:
    """
    Read what a function gives: an iterable, or a Deferred or coroutine of one.

    :param may_be_none: whether None is taken for an empty one.
    :raises SourceBroke: when the function raises.
    :raises InvalidSource: when it gives nothing to iterate over.
    """
    try:
        given = give()
    except Exception as error:
        raise SourceBroke(name, error) from error
    if inspect.iscoroutine(given):
        given = Deferred.fromCoroutine(given)
    if isinstance(given, Deferred):
        if not given.called:
            await _prepare(before_waiting, given)
        try:
            given = await given
        except CancelledError:
            raise
        except Exception as error:
            raise SourceBroke(name, error) from error
    if given is None and may_be_none:
        given = ()
    return Reading(given, name, before_waiting)


async def _prepare(before_waiting: Callable[[], Awaitable[object]], coming: Deferred[Any]) -> None:
    """Do what is to be done before a wait; where it fails, nobody waits."""
    try:
        await before_waiting()
    except BaseException:
        coming.addErrback(lambda _: None)
        coming.cancel()
        raise
