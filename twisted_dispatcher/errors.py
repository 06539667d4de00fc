"""
Every exception of the package.

All derive from `DispatcherError`. An error that reports a caller's mistake is also the
builtin that the caller would catch (`ValueError`, `TypeError`, `KeyError`); its message
names what was wrong and the cure, its attributes carry the facts. What a handler raises
is never one of these: it is a result, kept in the `HandlerOutcome`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet import defer


class DispatcherError(Exception):
    """The base of all errors of this package."""

    def __str__(self) -> str:
        """Give the message as it was written, also where `KeyError` would quote it."""
        return Exception.__str__(self)


class WeakHandlerWarning(UserWarning):
    """A handler is held weakly though nothing else is likely to keep it alive."""


# Keywords and phases


class InvalidKeyword(DispatcherError, ValueError, TypeError):
    """A match-spec keyword cannot be used as one."""


class ReservedKeyword(InvalidKeyword):
    """A match-spec keyword is the name of a parameter."""

    def __init__(self, keyword: str) -> None:
        super().__init__(
            f"{keyword!r} is the name of a parameter of the dispatcher's methods and cannot be a "
            f"match-spec keyword: choose another, for example {'event_' + keyword.strip('_')!r}"
        )
        self.keyword = keyword


class UnknownKeyword(DispatcherError, ValueError):
    """A keyword was used that the dispatcher does not allow."""

    def __init__(self, unknown: Iterable[str], allowed: Iterable[str]) -> None:
        self.unknown = tuple(sorted(unknown))
        self.allowed = tuple(sorted(allowed))
        names = ", ".join(map(repr, self.unknown))
        known = ", ".join(map(repr, self.allowed)) or "none"
        super().__init__(
            f"not an allowed match-spec keyword: {names} (allowed: {known}); mend the spelling, "
            f"or call allow_keyword({self.unknown[0]!r}) first"
        )


class KeywordInUse(DispatcherError, ValueError):
    """A keyword that is still needed cannot be forbidden."""

    def __init__(self, keyword: str, users: Iterable[str]) -> None:
        self.keyword = keyword
        self.users = tuple(users)
        super().__init__(
            f"keyword {keyword!r} is still used by {', '.join(self.users)}: remove these first"
        )


class InvalidPhases(DispatcherError, ValueError, TypeError):
    """The phases of a dispatcher are not a series of distinct names."""


class UnknownPhase(DispatcherError, ValueError):
    """A phase was named that the dispatcher does not have."""

    def __init__(self, phase: object, phases: Iterable[str]) -> None:
        self.phase = phase
        self.phases = tuple(phases)
        super().__init__(f"no phase {phase!r}: this dispatcher has {', '.join(self.phases)}")


# Handlers


class NotCallable(DispatcherError, TypeError):
    """A handler is not a callable."""


class NotWeakReferenceable(DispatcherError, TypeError):
    """A handler cannot be held by a weak reference."""


class UnhashableValue(DispatcherError, TypeError):
    """A value that must be looked up in an index cannot be hashed."""

    def __init__(self, keyword: str, value: object, cure: str) -> None:
        self.keyword = keyword
        self.value = value
        super().__init__(
            f"the value of {keyword!r} is a {type(value).__name__}, which cannot be hashed: {cure}"
        )


class InvalidMatchValue(DispatcherError, ValueError, TypeError):
    """A match value (`OneOf`, `Exactly`, `Where`) was made of something it cannot hold."""


class InvalidOptions(DispatcherError, ValueError, TypeError):
    """An option has a value that it cannot have, or that this dispatcher cannot honour."""


class UnknownHandler(DispatcherError, KeyError):
    """No handler is registered under the given id."""

    def __init__(self, handler_id: object) -> None:
        self.handler_id = handler_id
        super().__init__(
            f"no handler is registered with id {handler_id!r}: it was removed already, or it "
            "belongs to another dispatcher (describe() lists what is registered)"
        )


# Running


class HandlerTimeout(DispatcherError, defer.TimeoutError, TimeoutError):
    """A handler did not finish within its time limit and was cancelled."""

    def __init__(self, seconds: float, name: str) -> None:
        self.seconds = seconds
        self.handler = name
        Exception.__init__(
            self,
            f"handler {name} did not finish within its timeout of {seconds:g} seconds: make it "
            "faster, or give it more time with HandlerOptions(timeout=...)",
        )


class WaitTimeout(DispatcherError, defer.TimeoutError, TimeoutError):
    """No event that `wait_for` waited for came in time."""

    def __init__(self, seconds: float, match_spec: dict[str, Any]) -> None:
        self.seconds = seconds
        self.match_spec = match_spec
        names = ", ".join(match_spec) or "anything"
        Exception.__init__(
            self, f"no event that matches (by {names}) was fired within {seconds:g} seconds"
        )


class ForeignAwaitable(DispatcherError, TypeError):
    """A handler gave, or waited for, something that Twisted cannot wait for."""

    def __init__(self, awaitable: object) -> None:
        self.type = type(awaitable)
        what = f"a {self.type.__module__}.{self.type.__qualname__}"
        if awaitable is None:
            what = "nothing that could be waited for (as asyncio.sleep does)"
        super().__init__(
            f"a handler gave {what}, which Twisted cannot wait for: give a Deferred, or a "
            "coroutine that awaits Deferreds (an asyncio future becomes one with "
            "Deferred.fromFuture, under the asyncio reactor)"
        )


class AwaitableFromRunner(DispatcherError, TypeError):
    """A handler that runs outside of the reactor's thread gave something to be waited for."""

    def __init__(self, awaitable: object) -> None:
        self.type = type(awaitable)
        super().__init__(
            f"a handler that a runner called gave a {self.type.__qualname__}, which could be "
            "waited for only in the reactor's thread: give the value itself, or leave the runner "
            "out of its options"
        )


class ForgottenDecorator(DispatcherError, TypeError):
    """A handler gave a generator, so that nothing of it has run."""

    def __init__(self) -> None:
        super().__init__(
            "the handler gave a generator, of which nothing has run: decorate it with "
            "twisted.internet.defer.inlineCallbacks, or write it as an async def"
        )


class WouldDeadlock(DispatcherError, RuntimeError):
    """A handler waits for an event that is queued behind the very event it handles."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"waiting here would never end: {reason}; do not wait for it, or fire it with other "
            "values"
        )


# Event logs


class InvalidEvent(DispatcherError, ValueError):
    """An event cannot be made of what was given, or written in the form asked for."""


class MissingExtra(DispatcherError, ImportError):
    """A library is not installed that an optional part of the package needs."""

    def __init__(self, library: str, purpose: str, extra: str) -> None:
        self.library = library
        self.extra = extra
        super().__init__(
            f"{purpose} needs {library}, which is not installed: "
            f"pip install 'twisted_dispatcher[{extra}]'",
            name=library,
        )


class EventLogError(DispatcherError, ValueError):
    """An event log cannot be read."""

    def __init__(self, log: str, reason: str) -> None:
        self.log = log
        self.reason = reason
        super().__init__(f"{log}: {reason}")


class EmptyLog(EventLogError):
    """An event log has nothing in it."""


class NotGzip(EventLogError):
    """A file is named ``.gz`` and is not gzip."""


class TruncatedLog(EventLogError):
    """An event log ends in the middle of something."""


class DamagedLog(EventLogError):
    """An event log is not what its checksum or its syntax says."""


class UndecodableLog(EventLogError):
    """An event log is not text in the encoding in which it was read."""


class UnsafeLog(EventLogError):
    """An event log in XML declares document types or entities, which could expand without end."""


class UnknownLogFormat(EventLogError):
    """It cannot be told what format an event log has, or it has not the format it claims."""


class BadLineInLog(EventLogError):
    """A line of an event log holds no event, and bad lines are not to be passed over."""

    def __init__(self, log: str, line: int, reason: str) -> None:
        self.line = line
        super().__init__(log, f"line {line}: {reason}")
