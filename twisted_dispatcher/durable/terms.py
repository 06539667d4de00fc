"""The terms on which a durable dispatcher takes handlers."""

from __future__ import annotations

import attrs

from twisted_dispatcher.errors import InvalidOptions
from twisted_dispatcher.options import HandlerOptions
from twisted_dispatcher.registrar import takes_transaction
from twisted_dispatcher.registration.handlers import Handler


class DurableTerms:
    """Takes handlers whose deliveries can be recorded under a name that outlives a restart."""

    def check(self, handler: Handler) -> HandlerOptions:
        options = handler.options
        if options.durable is False:
            self._check_memory(options)
            return options
        if "<lambda>" in handler.name:
            raise InvalidOptions(
                "a lambda has no name that outlives a restart: give it one with "
                "HandlerOptions(name=...), or call it in memory only with durable=False"
            )
        if options.times is not None:
            raise InvalidOptions(
                f"{handler.name}: times cannot be counted over restarts and workers: leave it "
                "out, or call the handler in memory only with durable=False"
            )
        if takes_transaction(options):
            self._check_exactly_once(handler)
        # Attempts are counted, and repeated, by the store.
        return attrs.evolve(options, retry=None)

    @staticmethod
    def _check_exactly_once(handler: Handler) -> None:
        options = handler.options
        for name, unset in (("runner", "reactor"), ("timeout", None), ("concurrency", None)):
            if getattr(options, name) != unset:
                raise InvalidOptions(
                    f"{handler.name}: an exactly-once handler runs where its store commits, so "
                    f"{name} means nothing to it: leave it out"
                )

    @staticmethod
    def _check_memory(options: HandlerOptions) -> None:
        if options.guarantee not in (None, "at-most-once"):
            raise InvalidOptions(
                f"guarantee={options.guarantee!r} needs a delivery that is recorded: leave "
                "durable=False out"
            )
