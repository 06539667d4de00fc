"""Handlers and sources for one test alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted_dispatcher.django import registry
from twisted_dispatcher.django.api import register_group_handler, register_model_event_source

Handler = Callable[..., Any]


@contextmanager
def handlers(*registered: tuple[Handler, str] | tuple[Handler, str, Any]) -> Iterator[None]:
    """Have these handlers, with their patterns and options, and no others."""
    kept = list(registry.GROUP_HANDLERS)
    registry.GROUP_HANDLERS.clear()
    try:
        for handler, group, *options in registered:
            register_group_handler(
                handler=handler, group=group, options=options[0] if options else None
            )
        yield
    finally:
        registry.GROUP_HANDLERS[:] = kept


@contextmanager
def source(sender: Any, source: Callable[[Any], Any]) -> Iterator[None]:
    """Have a source of a model's events, and no other one."""
    kept = registry.MODEL_SOURCES.pop(sender, None)
    register_model_event_source(sender=sender, source=source)
    try:
        yield
    finally:
        del registry.MODEL_SOURCES[sender]
        if kept is not None:
            registry.MODEL_SOURCES[sender] = kept
