"""`ChainDispatcher`: finds, makes and executes the chains of one type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

import attrs
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_dispatcher.amounts import ABOVE_0, FROM_0, Rule, check, count, seconds
from twisted_dispatcher.chains.calling import Order, order_of
from twisted_dispatcher.chains.chain import (
    Chain,
    ChainResult,
    chain_of,
)
from twisted_dispatcher.chains.configuration import Configuration, configuration_of
from twisted_dispatcher.chains.executing import Executor
from twisted_dispatcher.chains.keeping import ChainKeeping
from twisted_dispatcher.chains.locks import Locks
from twisted_dispatcher.chains.resources import pairs_of
from twisted_dispatcher.chains.schedule import Schedule
from twisted_dispatcher.chainstore import IChainStore
from twisted_dispatcher.durable.dispatcher import DurableDispatcher
from twisted_dispatcher.errors import (
    BadRenames,
    ChainsNeedStore,
    InvalidResources,
    StoreWithoutChains,
    UnknownChainType,
    VanishedStates,
)
from twisted_dispatcher.interfaces import IBackgroundUtility

HOUR = 3600.0
# The keywords by which handlers select the events of chains.
KEYWORDS = ("chain_type", "state")
MATCHES = ("all", "exact")
RULES: Final[Mapping[str, Rule]] = {
    "every": seconds(ABOVE_0),
    "lease": seconds(ABOVE_0),
    "at_once": count(),
    "max_failures": count(optional=True),
    "keep_ended": seconds(FROM_0, optional=True),
    "drain": seconds(FROM_0),
}
# After so many seconds it is tried again to start where the store is away.
RESTART = 1.0

_log = Logger()


@attrs.define(eq=False)
class _Shared:
    """What the chain dispatchers of one durable dispatcher have in common."""

    locks: dict[float, Locks] = attrs.field(factory=dict)
    configurations: dict[str, Configuration] = attrs.field(factory=dict)


_shared: WeakKeyDictionary[DurableDispatcher, _Shared] = WeakKeyDictionary()


@implementer(IBackgroundUtility)
class ChainDispatcher(ChainKeeping):
    """
    The chains of one type, on a durable dispatcher.

    All methods belong to the reactor's thread. Every Deferred may fail with a `StoreError`.
    Handlers of the dispatcher can watch: every transition fires an event with the details
    ``chain_type`` and ``state``, and the key ``chain/<id>/<version>``.

    :ivar chain: the chain that was got last, or None.
    :ivar configuration: the states and transitions.
    :ivar store: where the chains are.
    """

    def __init__(
        self,
        chain_type: str,
        chain_configs: Any = None,
        requests_by: str | None = None,
        *,
        dispatcher: DurableDispatcher,
        every: float = HOUR,
        lease: float = 60.0,
        at_once: int = 100,
        max_failures: int | None = 10,
        keep_ended: float | None = None,
        drain: float = 30.0,
    ) -> None:
        """
        :param chain_configs: ``{"chains": [{"chain_type": ..., "transitions": {state: [...]}}]}``,
            or the path of a TOML or JSON file that says so. None is what another chain
            dispatcher of this type on the same dispatcher has.
        :param requests_by: stands in the history of what is executed.
        :param every: after so many seconds the schedule tries chains again that had no valid
            transition, unless a `next_update` says otherwise.
        :param lease: so many seconds after the death of a process, others take its chains over.
        :param at_once: the schedule executes so many chains at the same time at most.
        :param max_failures: after so many failures in a row, the schedule leaves a chain alone
            until `resume`; None never does.
        :param keep_ended: while the schedule runs, chains are forgotten so many seconds after
            they came to their end; None keeps them for ever.
        :param drain: so many seconds `stop` waits for what is executed; then that is cancelled.
        :raises InvalidChainConfiguration: with all faults of the configuration.
        :raises UnknownChainType: when the configuration has no such type.
        :raises InvalidOptions: for a number that is out of its range.
        :raises ChainsNeedStore: when the dispatcher works in memory.
        :raises StoreWithoutChains: when its store cannot keep chains.
        """
        if not isinstance(dispatcher, DurableDispatcher):
            raise ChainsNeedStore(dispatcher)
        check(
            RULES,
            every=every,
            lease=lease,
            at_once=at_once,
            max_failures=max_failures,
            keep_ended=keep_ended,
            drain=drain,
        )
        shared = _shared.setdefault(dispatcher, _Shared())
        if chain_configs is None:
            if chain_type not in shared.configurations:
                raise UnknownChainType(chain_type, shared.configurations)
            self.configuration = shared.configurations[chain_type]
        else:
            self.configuration = configuration_of(chain_type, chain_configs)
        self.chain_type = chain_type
        self.requests_by = requests_by
        self.dispatcher = dispatcher
        self.chain: Chain | None = None
        self._backstage = dispatcher.backstage
        self.store = _chains_of(self._backstage.store)
        for keyword in KEYWORDS:
            dispatcher.allow_keyword(keyword)
        if lease not in shared.locks:
            shared.locks[lease] = Locks(self.store, self._backstage.clock, lease)
        shared.configurations.setdefault(chain_type, self.configuration)
        locks = shared.locks[lease]
        self._executor = Executor(
            self.configuration,
            self.store,
            self._backstage,
            locks,
            every=every,
            max_failures=max_failures,
        )
        self._schedule = Schedule(
            chain_type,
            self.store,
            self._backstage,
            self._executor,
            locks,
            at_once=at_once,
            keep_ended=keep_ended,
        )
        self._drain = drain
        self._running = False
        self._readiness: Failure | bool = False
        self._waiting: list[Deferred[None]] = []

    def __repr__(self) -> str:
        return f"<ChainDispatcher of {self.chain_type!r}>"

    # Finding

    def get_or_create_chain(self, resources: Any, *, match: str = "all") -> Deferred[Chain]:
        """
        Give the chain that has all the resources, or make one.

        A chain with exactly these wins; else the only one that has them and more.

        :param resources: pairs of a type and an id, such as ``[("order", "17")]``, or a dict.
        :param match: ``"exact"`` never gives a chain that has more.
        :return: a Deferred that fires with the chain, which is `chain` from then on. It fails with
            `AmbiguousChain` when several have more.
        :raises InvalidResources: at once.
        """
        pairs = pairs_of(resources)
        if match not in MATCHES:
            raise InvalidResources(f"match is 'all' or 'exact', not {match!r}")
        return Deferred.fromCoroutine(self._find(pairs, match == "exact"))

    async def _find(self, pairs: Any, exact: bool) -> Chain:
        chain = await self._found(pairs, exact)
        self.chain = chain
        return chain

    def get_chain(self, chain_id: str) -> Deferred[Chain]:
        """Give the chain with an id; the Deferred fails with `UnknownChain`."""
        return Deferred.fromCoroutine(self._get(chain_id))

    async def _get(self, chain_id: str) -> Chain:
        chain = chain_of(await self.store.chain(chain_id))
        self._check_type(chain)
        self.chain = chain
        return chain

    # Executing

    def execute_chain(
        self,
        chain: Chain | str | None = None,
        *,
        callback: Callable[..., Any] | None = None,
        callback_args: Mapping[str, Any] | None = None,
        initial_context: Mapping[str, Any] | None = None,
        requested_by: str | None = None,
        dry_run: bool = False,
    ) -> Deferred[ChainResult]:
        """
        Make the next transition of a chain, if one is valid.

        :param chain: a chain or its id; by default the one that was got last.
        :param callback: is called as ``callback(transition, **callback_args)`` when the transition
            has no callback of its own. It may be called again after a crash, with the same
            `Transition.idempotency_key`; see `exactly_once`.
        :param initial_context: stands in the context of transitions.
        :param requested_by: for the history; by default what the dispatcher was made with.
        :param dry_run: whether only to tell which transition would be made.
        :return: a Deferred that fires with the `ChainResult` when the transition is stored. It
            fails with what `is_valid`, `build_context` or the callback has raised, and with
            `ChainLocked`, `ChainNotScheduled`, `ChainDisabled`, `UnknownChain` or `ChainLost`;
            the chain is in the state then in which it was.
        :raises InvalidCallback, NoChain, WrongChainType: at once.
        """
        order = self._order(callback, callback_args, initial_context, requested_by)
        return self._execute(self._named(chain), order, dry_run, whole=False)

    def run_chain(
        self,
        chain: Chain | str | None = None,
        *,
        callback: Callable[..., Any] | None = None,
        callback_args: Mapping[str, Any] | None = None,
        initial_context: Mapping[str, Any] | None = None,
        requested_by: str | None = None,
        dry_run: bool = False,
    ) -> Deferred[ChainResult]:
        """
        Make transitions of a chain until none is valid, or it is not to go on before some time.

        See `execute_chain`. What was made stays made when a later one fails. The Deferred fails
        with `ChainLoop` when the chain goes round and round.
        """
        order = self._order(callback, callback_args, initial_context, requested_by)
        return self._execute(self._named(chain), order, dry_run, whole=True)

    def _execute(
        self, chain: Chain | str, order: Order, dry_run: bool, *, whole: bool
    ) -> Deferred[ChainResult]:
        return Deferred.fromCoroutine(self._executed(chain, order, dry_run, whole))

    async def _executed(
        self, named: Chain | str, order: Order, dry_run: bool, whole: bool
    ) -> ChainResult:
        chain = await self._get(named) if isinstance(named, str) else named
        if dry_run:
            return await self._executor.try_dry(chain, order)
        return await self._executor.execute(chain, order, whole=whole)

    def _order(self, callback: Any, arguments: Any, context: Any, requested_by: Any) -> Order:
        who = self.requests_by if requested_by is None else requested_by
        return order_of(callback, arguments, context, who)

    # The schedule

    @property
    def running(self) -> bool:
        """Whether the schedule runs."""
        return self._running

    def start(
        self,
        callback: Callable[..., Any] | None = None,
        *,
        callback_args: Mapping[str, Any] | None = None,
        renamed: Mapping[str, str] | None = None,
    ) -> None:
        """
        Execute the chains of this type that are due, from now on.

        :param callback: as for `execute_chain`.
        :param renamed: for chains whose states the configuration does not have any more: by old
            states, the states to be in instead. Where chains would be left behind nothing is
            started: `when_ready` fails with `VanishedStates`, and `plan_states` tells before.
        :raises InvalidCallback: at once.
        """
        order = self._order(callback, callback_args, None, None)
        if self._running:
            return
        self._readiness = False
        self._schedule.order = order
        self._running = True
        starting = Deferred.fromCoroutine(self._start(renamed))
        starting.addErrback(self._not_started, callback, callback_args, renamed)

    async def _start(self, renamed: Mapping[str, str] | None) -> None:
        plan = await self._plan_states(renamed)
        plan.check()
        configuration = self.configuration
        definition, going = configuration.definition, configuration.going
        every = self._renamed(renamed)
        adopted = 1
        while adopted and self._running:
            now = self._backstage.now()
            adopted = await self.store.adopt(self.chain_type, definition, every, going, now)
        if self._running:
            self._schedule.start()
            self._became(True)

    def _not_started(self, failure: Failure, *given: Any) -> None:
        if not self._running:
            return
        if failure.check(VanishedStates, BadRenames):
            # Time does not mend it.
            _log.failure("{chains} does not start", failure, chains=self)
            self._running = False
            self._became(failure)
            return
        _log.failure("{chains} could not start yet, and tries again", failure, chains=self)
        self._backstage.clock().callLater(RESTART, self._start_again, *given)

    def _start_again(self, callback: Any, arguments: Any, renamed: Any) -> None:
        if self._running:
            self._running = False
            self.start(callback, callback_args=arguments, renamed=renamed)

    def _became(self, readiness: Failure | bool) -> None:
        self._readiness = readiness
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if isinstance(readiness, Failure):
                each.errback(readiness)
            else:
                each.callback(None)

    def when_ready(self) -> Deferred[None]:
        """
        Give a Deferred that fires when due chains are looked for.

        It fails with `VanishedStates` when `start` was refused, and with `BadRenames`.
        """
        if isinstance(self._readiness, Failure):
            return fail(self._readiness)
        deferred: Deferred[None] = Deferred(self._waiting.remove)
        if self._readiness:
            deferred.callback(None)
        else:
            self._waiting.append(deferred)
        return deferred

    def stop(self) -> Deferred[None]:
        """
        Execute no more due chains, and wait for those that are being executed.

        What does not end within the time to drain is cancelled; such chains are due at once.
        """
        self._running = False
        self._readiness = False
        return Deferred.fromCoroutine(self._schedule.stop(self._drain))


def _chains_of(store: Any) -> IChainStore:
    chains = getattr(store, "chains", None)
    if chains is None:
        raise StoreWithoutChains(store)
    return chains  # type: ignore[no-any-return]
