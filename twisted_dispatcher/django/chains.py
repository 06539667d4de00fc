"""
Chains for Django projects: the chain dispatcher as synchronous code calls it.

The chains are in the same tables as the events. What finds and executes them is the process's
connection to its reactor's thread; the transitions' own code runs in threads that may use the ORM.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import connections

from twisted_dispatcher.chains import ChainDispatcher as AsynchronousChainDispatcher
from twisted_dispatcher.chains.configuration import configuration_of
from twisted_dispatcher.django import running
from twisted_dispatcher.django.conf import conf
from twisted_dispatcher.django.threads import chain_threads
from twisted_dispatcher.django.transitions import callback_in_threads, in_threads
from twisted_dispatcher.errors import ChainInTransaction
from twisted_dispatcher.service.chains import ChainService


class ChainDispatcher:
    """
    Finds, makes and executes the chains of one type; its methods block.

    It has the methods of `twisted_dispatcher.chains.dispatcher.ChainDispatcher`, which give what
    the Deferreds there fire with, and raise what these fail with. ``timeout=`` says for how many
    seconds one may take. Plain methods of the transitions, and plain callbacks, are called in
    threads where they may use the ORM.

    A chain is found or moved at once and for good, not in the caller's transaction. So none of
    this can be called within one.
    """

    def __init__(
        self, chain_type: str, chain_configs: Any, requests_by: str | None = None
    ) -> None:
        """
        :param chain_configs: the states and transitions, as the asynchronous one takes them.
        :param requests_by: stands in the history of what is executed.
        :raises InvalidChainConfiguration, UnknownChainType: when they are not sound.
        """
        configuration_of(chain_type, chain_configs)
        self.chain_type = chain_type
        self.requests_by = requests_by
        self._configs = chain_configs
        self._service: Any = None
        self._face: Any = None

    def execute_chain(self, chain: Any = None, *, callback: Any = None, **keywords: Any) -> Any:
        """
        Make the next transition of a chain, if there is a valid one; give a `ChainResult`.

        :param chain: by default the one that was got last.
        """
        callback = callback_in_threads(callback, chain_threads().call)
        return self._of_reactor().execute_chain(chain, callback=callback, **keywords)

    def run_chain(self, chain: Any = None, *, callback: Any = None, **keywords: Any) -> Any:
        """Make transitions until none is valid; give a `ChainResult`."""
        callback = callback_in_threads(callback, chain_threads().call)
        return self._of_reactor().run_chain(chain, callback=callback, **keywords)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(AsynchronousChainDispatcher, name):
            raise AttributeError(f"{type(self).__name__} has no {name!r}")
        return getattr(self._of_reactor(), name)

    @property
    def chain(self) -> Any:
        """The chain that was got last, or None."""
        return None if self._face is None else self._face.chain

    def _of_reactor(self) -> Any:
        """
        Give the face of the one in the reactor's thread, made when it is first needed.

        :raises ChainInTransaction: when the caller is in a transaction.
        """
        if connections[conf().database].in_atomic_block:
            raise ChainInTransaction(self.chain_type)
        connection = running.connection()
        if connection.service is not self._service:
            self._face = connection.make(
                AsynchronousChainDispatcher,
                self.chain_type,
                in_threads(self._configs, chain_threads().call),
                self.requests_by,
                dispatcher=connection.dispatcher,
            )
            self._service = connection.service
        return self._face


class ChainSchedule(ChainService):
    """Executes the chains of one type that are due, while its process runs."""

    def __init__(
        self,
        service: Any,
        chain_type: str,
        chain_configs: Any,
        requests_by: str | None = None,
        *,
        callback: Callable[..., Any] | None = None,
        callback_args: Mapping[str, Any] | None = None,
    ) -> None:
        """
        Add it to the service that a ``SETUP`` function is given.

        :param chain_configs: as `ChainDispatcher` takes them.
        :param callback: called with each transition that is made, in a thread if it is plain code.
        :raises InvalidChainConfiguration, UnknownChainType: when they are not sound.
        """
        call = chain_threads().call
        chains = AsynchronousChainDispatcher(
            chain_type, in_threads(chain_configs, call), requests_by, dispatcher=service.dispatcher
        )
        super().__init__(chains, callback_in_threads(callback, call), callback_args)
        self.setServiceParent(service)  # type: ignore[no-untyped-call]
