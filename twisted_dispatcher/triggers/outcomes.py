"""What a task came to, as a fact: it gave a result, raised a wish, or failed."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

from twisted.logger import Logger

from twisted_dispatcher.durable.codec import Codec
from twisted_dispatcher.errors import InvalidResult, NotEncodable
from twisted_dispatcher.triggers.facts import End, Fact, Retry
from twisted_dispatcher.triggers.logs import LevelMeter, context_of
from twisted_dispatcher.triggers.session import Instance
from twisted_dispatcher.triggers.statuses import FAILED, FINISHED
from twisted_dispatcher.triggers.tasks import Retry as RetryAsked
from twisted_dispatcher.triggers.tasks import StatusChange

# A traceback is kept up to so many characters, the end of it being what counts.
LONGEST_INFO = 10_000

_log = Logger()


class CameTo:
    """Makes the fact of what an instance that runs has come to."""

    def __init__(self, instance: Instance, uid: str, codec: Codec, meter: LevelMeter) -> None:
        """:param meter: knows the highest level that the task has logged at."""
        self._instance = instance
        self._uid = uid
        self._codec = codec
        self._meter = meter

    def result(self, result: Any) -> Fact:
        """Give the fact of a result: nothing, and what is false, is an empty one."""
        if not result:
            result = {}
        if not isinstance(result, Mapping):
            error = InvalidResult(
                f"a task returns a mapping or None, unlike the {type(result).__name__} of "
                f"instance {self._instance.name!r}"
            )
            error.context = {"actual_result": result}  # type: ignore[attr-defined]
            return self._failed(error)
        try:
            text = self._codec.encode(dict(result), "result")
        except NotEncodable as refusal:
            return self._failed(refusal)
        return self._ended(FINISHED, {"result": text}, text)

    def raised(self, error: BaseException) -> Fact:
        """Give the fact of what a task has raised."""
        try:
            if isinstance(error, RetryAsked):
                return self._retried(error)
            if isinstance(error, StatusChange):
                return self._ended(error.status, self._written(error.metadata))
        except NotEncodable as refusal:
            return self._failed(refusal)
        return self._failed(error)

    def _retried(self, asked: RetryAsked) -> Fact:
        own = self._instance
        if asked.max_retries is not None and own.depth >= asked.max_retries:
            return self._failed(asked.exceeded(own.name))
        metadata = self._written({**asked.metadata, "cooldown": asked.cooldown})
        kwargs = None
        if asked.replacement_kwargs is not None:
            kwargs = self._written(asked.replacement_kwargs)
        if asked.exc is not None:
            metadata = {**failure_of(asked.exc, self._codec), **metadata}
        return Retry(own.name, own.attempt, metadata, kwargs, asked.cooldown, self._level)

    def _failed(self, error: BaseException) -> Fact:
        _log.warn(
            "Instance {name} of session {uid} has failed with {kind}, which is kept with it",
            name=self._instance.name,
            uid=self._uid,
            kind=type(error).__qualname__,
        )
        return self._ended(FAILED, failure_of(error, self._codec))

    def _ended(self, status: str, metadata: Mapping[str, str], result: str | None = None) -> Fact:
        own = self._instance
        return End(own.name, own.attempt, status, metadata, result, self._level)

    def _written(self, values: Mapping[str, Any]) -> dict[str, str]:
        return {name: self._codec.encode(value, name) for name, value in values.items()}

    @property
    def _level(self) -> int | None:
        return self._meter.level or None


def failure_of(error: BaseException, codec: Codec) -> dict[str, str]:
    """Give the metadata of a failure: its type, its traceback and its context."""
    kind = type(error)
    text = "".join(traceback.format_exception(kind, error, error.__traceback__))
    context = context_of(error)
    try:
        written = codec.encode(context)
    except NotEncodable:
        written = codec.encode({str(name): repr(value) for name, value in context.items()})
    info = text.encode("utf-8", "backslashreplace").decode()[-LONGEST_INFO:]
    return {
        "exceptionType": codec.encode(f"{kind.__module__}.{kind.__qualname__}"),
        "exceptionInfo": codec.encode(info),
        "exceptionContext": written,
    }
