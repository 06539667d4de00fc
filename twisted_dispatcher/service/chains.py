"""The chains of a service: a chain dispatcher for each type, which starts and stops with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from twisted_dispatcher.chains import ChainDispatcher
from twisted_dispatcher.errors import ChainTypeMissing, ChainTypeTaken


class ChainService(Service):
    """
    Executes the chains of one type that are due, while it runs.

    :ivar chains: their chain dispatcher.
    """

    def __init__(
        self,
        chains: ChainDispatcher,
        callback: Callable[..., Any] | None = None,
        callback_args: Mapping[str, Any] | None = None,
    ) -> None:
        """:param callback: see `ChainDispatcher.start`, which is given it."""
        self.chains = chains
        self._callback = callback
        self._callback_args = callback_args

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        self.chains.start(self._callback, callback_args=self._callback_args)

    def stopService(self) -> Deferred[None]:
        """Give a Deferred that fires when nothing is executed any more."""
        super().stopService()  # type: ignore[no-untyped-call]
        return self.chains.stop()


class Chains(Mapping[str, ChainDispatcher]):
    """The chain dispatchers of a service, by the types of their chains."""

    def __init__(
        self, have_run: Callable[[Service], object], dispatcher: Any, executes: bool
    ) -> None:
        """
        :param have_run: has a service run while the chains' service runs.
        :param executes: whether chains that are due are executed meanwhile.
        """
        self._have_run = have_run
        self._dispatcher = dispatcher
        self._executes = executes
        self._chains: dict[str, ChainDispatcher] = {}

    def add(
        self,
        chain_type: str,
        chain_configs: Any,
        requests_by: str | None = None,
        *,
        callback: Callable[..., Any] | None = None,
        callback_args: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> ChainDispatcher:
        """
        Have chains of a type; a service that works executes those that are due, while it runs.

        :param chain_configs: as `ChainDispatcher` takes them, and ``options`` too.
        :param callback: called with each transition that is made; see `ChainDispatcher.start`.
        :return: the chain dispatcher, which `Chains` gives by the type from now on.
        :raises ChainTypeTaken: when the service has chains of this type already.
        :raises InvalidChainConfiguration, UnknownChainType: when the configuration is not sound.
        :raises ChainsNeedStore: in memory.
        :raises ServiceStopped: when the service has been stopped.
        """
        if chain_type in self._chains:
            raise ChainTypeTaken(chain_type)
        chains = ChainDispatcher(
            chain_type, chain_configs, requests_by, dispatcher=self._dispatcher, **options
        )
        if self._executes:
            self._have_run(ChainService(chains, callback, callback_args))
        self._chains[chain_type] = chains
        return chains

    def __getitem__(self, chain_type: str) -> ChainDispatcher:
        """:raises ChainTypeMissing: when nobody has added chains of the type; a KeyError, too."""
        try:
            return self._chains[chain_type]
        except KeyError:
            raise ChainTypeMissing(chain_type, self._chains) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._chains)

    def __len__(self) -> int:
        return len(self._chains)
