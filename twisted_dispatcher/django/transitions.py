"""
Transitions whose methods use the ORM: they are called in threads that may do so.

A transition's ``is_valid``, ``build_context`` and callback are called in the reactor's thread,
where nothing may block. What is plain code of a project becomes a subclass here, with the same
name, whose methods hand the work to a thread and give a Deferred.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from twisted_dispatcher.chains.configuration import Configuration, configurations
from twisted_dispatcher.chains.transition import GUARANTEE, Transition
from twisted_dispatcher.options import EXACTLY_ONCE

Threads = Callable[..., Any]
"""Calls a function in a thread: ``threads(function, *arguments, **keywords)`` gives a Deferred."""

_METHODS: Final = ("is_valid", "build_context", "callback")


def in_threads(chain_configs: Any, threads: Threads) -> dict[str, Any]:
    """
    Give the same configuration of chains, with plain methods called in threads.

    Coroutine functions and what is called exactly once stay where they are.

    :param chain_configs: as `ChainDispatcher` takes them.
    :raises InvalidChainConfiguration, UnreadableChainConfiguration: when it cannot be used.
    """
    made: dict[type[Transition], type[Transition]] = {}
    found = configurations(chain_configs).values()
    return {
        "chains": [_entry(each, partial(_moved, threads=threads, made=made)) for each in found]
    }


def callback_in_threads(callback: Any, threads: Threads) -> Any:
    """Give a callback that is called in a thread, where it is plain code."""
    return partial(threads, callback) if _is_plain(callback) else callback


def _entry(
    configuration: Configuration, move: Callable[[type[Transition]], type[Transition]]
) -> Mapping[str, Any]:
    transitions = {
        state: [move(each) for each in own] for state, own in configuration.transitions.items()
    }
    return {
        "chain_type": configuration.chain_type,
        "transitions": transitions,
        "renamed": dict(configuration.renamed),
    }


def _moved(
    cls: type[Transition], *, threads: Threads, made: dict[type[Transition], type[Transition]]
) -> type[Transition]:
    """Give the subclass of a transition; one for each, however often it is listed."""
    if cls in made:
        return made[cls]
    members: dict[str, Any] = {
        name: _threaded(cls, name, threads) for name in _METHODS if _is_own(cls, name)
    }
    members["__module__"] = cls.__module__
    members["__qualname__"] = cls.__qualname__
    made[cls] = moved = type(cls.__name__, (cls,), members)
    if cls.otherwise is not None:
        setattr(moved, "otherwise", _moved(cls.otherwise, threads=threads, made=made))  # noqa: B010
    return moved


def _is_own(cls: type[Transition], name: str) -> bool:
    """Tell whether a method is code of the project that may block."""
    method = getattr(cls, name)
    if method is getattr(Transition, name) or not _is_plain(method):
        return False
    return name != "callback" or cls.guarantee != EXACTLY_ONCE


def _is_plain(function: Any) -> bool:
    return (
        callable(function)
        and not inspect.iscoroutinefunction(function)
        and getattr(function, GUARANTEE, None) != EXACTLY_ONCE
    )


def _threaded(cls: type[Transition], name: str, threads: Threads) -> Callable[..., Any]:
    plain = getattr(cls, name)

    def method(self: Transition, *arguments: Any, **keywords: Any) -> Any:
        return threads(plain, self, *arguments, **keywords)

    return method
