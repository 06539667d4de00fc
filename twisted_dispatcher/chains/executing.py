"""
Executing a chain: it is locked, its next transition is chosen and made, and it is given back.

What happens in which order, so that it can stop anywhere: the lock is stored; the transition is
chosen; its callback is called (at least once: whoever takes the lock over calls it again, with the
same idempotency key); then the new state, the line of history and the event of the new state are
stored in one transaction, which fails when somebody else has taken the chain over. A callback that
is to be called exactly once is called within that transaction.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from operator import itemgetter
from typing import Any

import attrs
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from twisted_dispatcher.chainrecords import LockedChain, Move, Moved, Release, moved_chain
from twisted_dispatcher.chains import rules
from twisted_dispatcher.chains.calling import Order, call, call_within, give_context
from twisted_dispatcher.chains.calling import is_exactly_once as calls_exactly_once
from twisted_dispatcher.chains.chain import Chain, ChainResult, chain_of
from twisted_dispatcher.chains.choosing import Choice, choose
from twisted_dispatcher.chains.configuration import Configuration
from twisted_dispatcher.chains.locks import Locks
from twisted_dispatcher.chains.states import DONE
from twisted_dispatcher.chains.storing import Storing
from twisted_dispatcher.chains.times import next_update_of
from twisted_dispatcher.chains.transition import Transition
from twisted_dispatcher.chainstore import IChainStore
from twisted_dispatcher.durable.backstage import Backstage, PlannedEvent
from twisted_dispatcher.errors import ChainLoop, ChainLost, StoreError
from twisted_dispatcher.events import Event

# What is kept of the reasons for a refusal, in characters.
MOST_REASONS = 20_000

_log = Logger()


@attrs.define
class _Run:
    """One execution of a chain, and what it has come to so far."""

    chain: Chain
    order: Order
    whole: bool
    signals: dict[str, Any]
    laps: rules.Laps = attrs.field(factory=rules.Laps)
    made: list[Transition] = attrs.field(factory=list)
    is_held: bool = True

    def result(self, choice: Choice) -> ChainResult:
        """Give what it has come to, after the last choice."""
        transition = self.made[-1] if self.made else None
        if self.chain.state == DONE and not self.made:
            transition = choice.transition
        chain = self.chain
        moved = bool(self.made)
        return ChainResult(
            chain.id, chain.state, transition, choice.errors, False, moved, tuple(self.made)
        )


class Executor:
    """Executes the chains of one type."""

    def __init__(
        self,
        configuration: Configuration,
        store: IChainStore,
        backstage: Backstage,
        locks: Locks,
        *,
        every: float,
        max_failures: int | None,
    ) -> None:
        """
        :param every: after so many seconds, chains without a valid transition are tried again.
        :param max_failures: after so many failures in a row the schedule leaves a chain alone.
        """
        self._configuration = configuration
        self._store = store
        self._backstage = backstage
        self._locks = locks
        self._every = every
        self._max_failures = max_failures

    async def try_dry(self, chain: Chain, order: Order) -> ChainResult:
        """
        Tell what executing a chain would come to, whoever has it locked.

        :raises ChainDisabled, ChainNotScheduled, UnknownChain: when it would not be executed now.
        """
        stored = await self._store.chain(chain.id)
        now = self._backstage.now()
        error = rules.obstacle(attrs.evolve(stored, locked_until=0.0), now)
        if error is not None:
            raise error
        signals = self._decoded(await self._store.signals(chain.id))
        # The caller's own object shows no more than was there before.
        seen = chain_of(stored)
        choice = await choose(self._configuration, seen, order.context, signals, now)
        return ChainResult(chain.id, stored.state, choice.transition, choice.errors, True, False)

    async def execute(self, chain: Chain, order: Order, *, whole: bool) -> ChainResult:
        """
        Make the next transition of a chain, or as many as there are.

        :param whole: whether it goes on until no transition is valid.
        :raises ChainLocked, ChainDisabled, ChainNotScheduled, UnknownChain: when it is not to be
            executed now.
        :raises ChainLoop: when it goes round and round; ChainLost: when it was taken over.
        """
        locked = await self._locks.take(chain.id, self._backstage.now())
        return await self.carry_on(locked, chain, order, whole=whole)

    async def carry_on(
        self, locked: LockedChain, chain: Chain, order: Order, *, whole: bool
    ) -> ChainResult:
        """Execute a chain that is locked; whatever comes of it, the lock is given back."""
        chain.see(locked.chain)
        run = _Run(chain, order, whole, {})
        try:
            run.signals = self._decoded(locked.signals)
            return await self._go(run)
        except Exception as error:
            if run.is_held:
                await self._give_back(run, error)
            raise
        finally:
            if run.is_held:
                self._locks.forget(chain.id)

    async def _go(self, run: _Run) -> ChainResult:
        chain = run.chain
        run.laps.enter(chain.state)
        while True:
            now = self._backstage.now()
            choice = await choose(self._configuration, chain, run.order.context, run.signals, now)
            if choice.transition is None or chain.state == DONE:
                await self._refused(run, choice)
                return run.result(choice)
            await self._make(run, choice.transition)
            if not run.is_held:
                return run.result(choice)
            if run.laps.enter(chain.state):
                raise ChainLoop(chain.id, run.laps.circle())

    # One transition

    async def _make(self, run: _Run, transition: Transition) -> None:
        """Call the callback of a transition and store it."""
        await give_context(transition)
        planned = self._event_of(run, transition)
        if calls_exactly_once(transition, run.order):
            move = self._move(run, transition, planned)
            transacting = self._store.transact(
                move,
                lambda inner: call_within(
                    transition, run.order, self._backstage.transaction(inner)
                ),
                self._backstage.acceptor,
                self._backstage.now(),
            )
            storing: Storing[Moved] = Storing(transacting.addCallback(itemgetter(1)))
        else:
            await call(transition, run.order)
            move = self._move(run, transition, planned)
            now = self._backstage.now()
            storing = Storing(self._store.move(move, self._backstage.acceptor, now))
        moved = await storing
        if not moved.held:
            run.is_held = False
            self._locks.forget(run.chain.id)
            raise ChainLost(run.chain.id)
        self._made(run, transition, move)
        self._backstage.run(moved.claims)
        if moved.accepted is not None:
            self._backstage.set_out(moved.accepted, planned)
        storing.check()

    def _event_of(self, run: _Run, transition: Transition) -> PlannedEvent:
        """Write down the event of the state that a transition leads to."""
        chain, state = run.chain, transition.final_state
        version = chain.version + 1
        context = {
            "chain_id": chain.id,
            "chain_type": chain.chain_type,
            "state": state,
            "previous": chain.state,
            "transition": transition.name,
            "version": version,
            "resources": dict(chain.resources),
            "requested_by": run.order.requested_by,
        }
        key = f"chain/{chain.id}/{version}"
        event = Event(state, key, f"chains/{chain.chain_type}", context)
        details = {"chain_type": chain.chain_type, "state": state}
        return self._backstage.write(event, key, None, details)

    def _move(self, run: _Run, transition: Transition, planned: PlannedEvent) -> Move:
        chain, state = run.chain, transition.final_state
        now = self._backstage.now()
        next_update = chain.stored.next_update
        if state != DONE:
            given = transition.next_update or transition.date_next_update
            next_update = next_update_of(given, now) or next_update
        is_end = self._configuration.is_end(state)
        goes_on = run.whole and not is_end and not (next_update or 0.0) > now
        waited_for = transition.wait_for
        names = (waited_for,) if isinstance(waited_for, str) else tuple(waited_for)
        return Move(
            chain.id,
            self._locks.fence_of(chain.id),
            chain.version,
            chain.state,
            state,
            transition.name,
            run.order.requested_by,
            next_update,
            rules.due_after_move(is_end, next_update, now),
            is_end,
            self._locks.until(now) if goes_on else 0.0,
            names,
            planned.new,
        )

    def _made(self, run: _Run, transition: Transition, move: Move) -> None:
        """Take note of a transition that is stored."""
        run.made.append(transition)
        for name in move.signals:
            run.signals.pop(name, None)
        run.chain.see(moved_chain(run.chain.stored, move, self._backstage.now()))
        if not move.locked_until:
            # Whoever is told of the new state may execute it at once.
            run.is_held = False
            self._locks.forget(run.chain.id)

    # Giving back

    async def _refused(self, run: _Run, choice: Choice) -> None:
        chain = run.chain
        now = self._backstage.now()
        due = rules.due_after_refusal(
            self._configuration.is_end(chain.state),
            choice.looks,
            chain.stored.next_update if chain.version else None,
            now,
            self._every,
        )
        refusals = _reasons(choice.errors)
        await self._release(run, Release(chain.id, self._fence(run), due, refusals))

    async def _give_back(self, run: _Run, error: Exception) -> None:
        """Give a chain back that could not be executed; what fails now is left to its lease."""
        now = self._backstage.now()
        if isinstance(error, CancelledError):
            due = None if self._configuration.is_end(run.chain.state) else now
            release = Release(run.chain.id, self._fence(run), due)
        else:
            setback = rules.after_failure(
                run.chain.stored.failures, self._max_failures, now, self._every
            )
            text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            release = Release(
                run.chain.id,
                self._fence(run),
                setback.due,
                error=_storable(text),
                failures=setback.failures,
                parked=setback.parked,
            )
        try:
            await self._release(run, release)
        except StoreError as failed:
            _log.warn(
                "Chain {chain} could not be given back, and is locked until its lease ends: "
                "{error}",
                chain=run.chain.id,
                error=failed,
            )

    def _fence(self, run: _Run) -> int:
        return self._locks.fence_of(run.chain.id)

    async def _release(self, run: _Run, release: Release) -> None:
        storing = Storing(self._store.release(release, self._backstage.now()))
        await storing
        run.is_held = False
        self._locks.forget(run.chain.id)

    def _decoded(self, signals: Mapping[str, str]) -> dict[str, Any]:
        return {name: self._backstage.codec.decode(value) for name, value in signals.items()}


def _reasons(errors: Mapping[str, list[Any]]) -> str:
    """Write the reasons of refusals down, as texts where JSON has no form for them."""
    text = json.dumps(errors, default=str)
    if len(text) <= MOST_REASONS:
        return text
    return json.dumps({name: ["(too long to be kept)"] for name in errors})


def _storable(text: str) -> str:
    """Give a text that every database can keep."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
