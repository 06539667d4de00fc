"""
The quickest way through a dispatch: a `fire_event` written for the keywords that are allowed.

This is the one place where speed decides what the code looks like. Whatever ``**details`` would
have to collect, compare and sort, a function with these keywords as its parameters is handed in
their order; one tuple of them is the key to a plan: the handlers that match, and the result that
says that all of them gave None. As long as that is what they give, the only things made for a
fire are the key and the Deferred. (Measured: half the time of the same loop behind ``**details``.)
What fails, or must be waited for, is left to `Engine.depart`.

The source is made once for each series of keywords; they are identifiers, which is checked when
they are allowed. All other names in it begin with two underscores, which keywords may not.
"""

from __future__ import annotations

import functools
import linecache
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from twisted_dispatcher.firing.answers import DEFERRED, KINDS, PLAIN
from twisted_dispatcher.firing.deferreds import FiredDeferred
from twisted_dispatcher.firing.loop import DEEPEST, Engine
from twisted_dispatcher.matching import MISSING
from twisted_dispatcher.registration.handlers import Handler
from twisted_dispatcher.results import DispatchResult

Plan = tuple[tuple[Handler, ...], DispatchResult]
# Takes what the quick way cannot: the event, its details in the order of the keywords, and those
# details whose names are not among the keywords.
Slowly = Callable[[Any, tuple[Any, ...], dict[str, Any]], Deferred[DispatchResult]]

_TEMPLATE = """\
def bind(__find, __engine, __slowly):
    def fire_event(event{parameters}, **__unknown):
        try:
            __handlers, __result = __find(({key}), __NO_PLAN)
        except Exception:
            __handlers = None
        __depth = __engine.depth
        if __handlers is None or __unknown or __depth > __DEEPEST:
            return __slowly(event, ({key}), __unknown)
        __engine.depth = __depth + 1

        # As long as handlers answer None, nothing is made.
        __rest = iter(__handlers)
        for __handler in __rest:
            __call = __handler.call
            try:
                __value = __call(event)
            except BaseException:
                __value = __Failure()
            if __value is not None:
                break
        else:
            __engine.depth = __depth
            __deferred = __new(__FiredDeferred)
            __deferred.result = __result
            return __deferred

        # From the first other answer on, the values are kept, as long as they are there at once.
        # The type of the last one is remembered: that of the next is most often the same.
        __values = []
        if __handler is not __handlers[0]:
            __values = [None] * __handlers.index(__handler)
        __plain = None
        while True:
            __type = type(__value)
            if __type is __plain:
                __values.append(__value)
            elif __kinds(__type) == __PLAIN:
                __plain = __type
                __values.append(__value)
            elif (
                __kinds(__type) == __DEFERRED
                and __value.called
                and not __value.paused
                and __kinds(type(__value.result)) == __PLAIN
            ):
                __values.append(__value.result)
            else:
                __deferred = __engine.depart(event, __handlers, __values, __value)
                __engine.depth = __depth
                return __deferred
            for __handler in __rest:
                break
            else:
                break
            __call = __handler.call
            try:
                __value = __call(event)
            except BaseException:
                __value = __Failure()
        __engine.depth = __depth
        __result = __new_result(__DispatchResult)
        __result._handlers = __handlers
        __result._values = __values
        __deferred = __new(__FiredDeferred)
        __deferred.result = __result
        return __deferred
    return fire_event
"""


@functools.lru_cache(maxsize=256)
def _binder(keywords: tuple[str, ...]) -> Callable[..., Callable[..., Any]]:
    """Make the function that binds a `fire_event` for these keywords."""
    source = _TEMPLATE.format(
        parameters="".join(
            f", {'*, ' if not at else ''}{keyword}=__MISSING"
            for at, keyword in enumerate(keywords)
        ),
        key="".join(f"{keyword}, " for keyword in keywords),
    )
    file = f"<fire_event of {__name__} for {', '.join(keywords) or 'no keywords'}>"
    # So that tracebacks show the lines, as attrs does for the methods that it makes.
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace: dict[str, Any] = {
        "__DEEPEST": DEEPEST,
        "__DEFERRED": DEFERRED,
        "__DispatchResult": DispatchResult,
        "__Failure": Failure,
        "__FiredDeferred": FiredDeferred,
        "__MISSING": MISSING,
        "__NO_PLAN": (None, None),
        "__PLAIN": PLAIN,
        "__kinds": KINDS.get,
        "__new": FiredDeferred.__new__,
        "__new_result": DispatchResult.__new__,
    }
    exec(compile(source, file, "exec"), namespace)
    bind: Callable[..., Callable[..., Any]] = namespace["bind"]
    return bind


def bind_fire_event(
    keywords: tuple[str, ...],
    plans: Mapping[tuple[Any, ...], Plan],
    engine: Engine,
    slowly: Slowly,
) -> Callable[..., Deferred[DispatchResult]]:
    """
    Give a `fire_event` for these keywords.

    :param plans: where it looks for what to do; what is not there is done `slowly`.
    """
    return _binder(keywords)(plans.get, engine, slowly)
