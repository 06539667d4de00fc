"""Logging in tasks: the highest level is kept with the instance."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

from twisted.logger import Logger, LogLevel
from twisted.logger import LogLevel as _Levels
from twisted.python.failure import Failure

_LEVELS = {
    LogLevel.debug: logging.DEBUG,
    LogLevel.info: logging.INFO,
    LogLevel.warn: logging.WARNING,
    LogLevel.error: logging.ERROR,
    LogLevel.critical: logging.CRITICAL,
}


class LevelMeter:
    """Knows the highest level that was logged. `level`: as of `logging`; 0 when nothing was."""

    def __init__(self) -> None:
        self.level = logging.NOTSET

    def note(self, level: int) -> None:
        """Note that something was logged."""
        self.level = max(self.level, level)


class MeteredAdapter(logging.LoggerAdapter):  # type: ignore[type-arg]
    """
    A logger of `logging` that is listened to.

    What is logged counts also where the logger's own level lets it not be seen.
    """

    def __init__(self, logger: logging.Logger, meter: LevelMeter, context: Mapping[str, Any]):
        super().__init__(logger, {})
        self._meter = meter
        self._context = dict(context)

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        """Log a message, and note its level."""
        self._meter.note(level)
        super().log(level, msg, *args, **kwargs)

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Merge the context into ``extra["context"]``."""
        extra = dict(kwargs.get("extra") or {})
        extra["context"] = {**self._context, **(extra.get("context") or {})}
        kwargs["extra"] = extra
        return msg, kwargs


class MeteredLogger(Logger):
    """A logger of `twisted.logger` that is listened to."""

    def __init__(self, logger: Logger, meter: LevelMeter, context: Mapping[str, Any]) -> None:
        super().__init__(logger.namespace, logger.source, logger.observer)
        self._meter = meter
        self._context = dict(context)

    def emit(self, level: Any, format: str | None = None, **kwargs: Any) -> None:
        """Emit an event with the context, and note its level."""
        self._meter.note(_LEVELS.get(level, logging.NOTSET))
        context = {**self._context, **(kwargs.pop("context", None) or {})}
        super().emit(level, format, **kwargs, context=context)


@contextmanager
def metered(
    logger: logging.Logger | Logger | str, meter: LevelMeter, context: Mapping[str, Any]
) -> Iterator[Any]:
    """
    Give a logger that is listened to; an exception that leaves the context is logged at ERROR.

    :param logger: a logger of `logging` or of `twisted.logger`, or the name of one of the first.
    """
    if isinstance(logger, str):
        logger = logging.getLogger(logger)
    if isinstance(logger, Logger):
        own = MeteredLogger(logger, meter, context)
        try:
            yield own
        except Exception as error:
            own.emit(
                _Levels.error,
                "{error}",
                error=str(error),
                log_failure=Failure(),
                context=context_of(error),
            )
            raise
        return
    adapter = MeteredAdapter(logger, meter, context)
    try:
        yield adapter
    except Exception as error:
        adapter.error("%s", error, exc_info=True, extra={"context": context_of(error)})
        raise


def context_of(error: BaseException) -> dict[str, Any]:
    """Give the context that `with_context` has put on an exception."""
    found = getattr(error, "context", None)
    return dict(found) if isinstance(found, Mapping) else {}


def with_context(error: BaseException, context: Mapping[str, Any]) -> Any:
    """
    Put a context on an exception, to be kept with a failed instance. Gives the exception.

    What the exception had there before that was no mapping is kept as ``_original_context``.
    """
    before = getattr(error, "context", None)
    kept: dict[str, Any] = {}
    if isinstance(before, Mapping):
        kept = dict(before)
    elif before is not None:
        kept = {"_original_context": before}
    error.context = {**kept, **context}  # type: ignore[attr-defined]
    return error
