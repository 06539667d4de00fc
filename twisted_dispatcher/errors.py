"""
Every exception of the package.

All derive from `DispatcherError`. An error that reports a caller's mistake is also the
builtin that the caller would catch (`ValueError`, `TypeError`, `KeyError`); its message
names what was wrong and the cure, its attributes carry the facts. What a handler raises
is never one of these: it is a result, kept in the `HandlerOutcome`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
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

    def __init__(
        self, unknown: Iterable[str], allowed: Iterable[str], cure: str = "mend the spelling"
    ) -> None:
        self.unknown = tuple(sorted(unknown))
        self.allowed = tuple(sorted(allowed))
        names = ", ".join(map(repr, self.unknown))
        known = ", ".join(map(repr, self.allowed)) or "none"
        super().__init__(f"not an allowed match-spec keyword: {names} (allowed: {known}); {cure}")


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
        names = ", ".join(self.phases)
        message = f"no phase {phase!r}: this dispatcher has {names}"
        if callable(phase):
            name = getattr(phase, "__name__", None) or repr(phase)
            message = (
                f"the function {name} was given in the place of a phase ({names}): as a decorator "
                "write @dispatcher.on(), with parentheses"
            )
        super().__init__(message)


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
            f"the value of {keyword!r} is of type {type(value).__name__}, which cannot be "
            f"hashed: {cure}"
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


# Configurations of trigger sessions in files


class InvalidConfigurationFile(DispatcherError, ValueError):
    """A file with a configuration of trigger sessions has faults; nothing of it is used."""

    def __init__(self, path: str, faults: Iterable[str]) -> None:
        self.path = path
        self.faults = tuple(faults)
        super().__init__("\n".join((f"{path} cannot be used until this is mended:", *self.faults)))


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


class AwaitedCheck(DispatcherError, TypeError):
    """The check of a wait gave what has to be waited for, which is neither yes nor no."""

    def __init__(self, answer: object) -> None:
        super().__init__(
            f"the check of a wait gave something of type {type(answer).__name__}, and is asked in "
            "passing: make it a plain function that says yes or no"
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
        what = f"something of type {self.type.__module__}.{self.type.__qualname__}"
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
            "a handler with a runner, or within a transaction, gave something of type "
            f"{self.type.__qualname__}, which cannot be waited for there: give the value itself, "
            "or leave the runner or the guarantee out of its options"
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


# Codec


class NotEncodable(DispatcherError, TypeError, ValueError):
    """A value cannot be written as JSON so that it is read back equal."""

    def __init__(self, reason: str, path: str = "the value") -> None:
        self.reason = reason
        self.path = path
        super().__init__(f"{path} {reason}")


class NotDecodable(DispatcherError, ValueError):
    """A text is none that the codec has written, or it needs a class that is not registered."""

    def __init__(self, reason: str, name: str | None = None) -> None:
        self.reason = reason
        self.name = name
        super().__init__(reason)


class UnregistrableClass(DispatcherError, TypeError, ValueError):
    """A class cannot be registered with a codec, or not under this name."""


# Durable dispatch


class NotRunning(DispatcherError, RuntimeError):
    """An event was given to a durable dispatcher that does not run."""

    def __init__(self) -> None:
        super().__init__(
            "the dispatcher is not running, so nothing was stored: call start() first"
        )


class InvalidKey(DispatcherError, ValueError, TypeError):
    """An event's key cannot be stored."""

    def __init__(self, key: object, longest: int) -> None:
        self.key = key
        what = f"{len(key)} characters long" if isinstance(key, str) and key else repr(key)
        cure = "leave it out for a new one, or shorten it, for example to a hash"
        if not isinstance(key, str):
            cure = f"write it as text, for example str({key!r})"
        super().__init__(
            f"a key is a string of 1 to {longest} characters, but this is {what}: {cure}"
        )


class InvalidTime(DispatcherError, ValueError, TypeError):
    """A time is neither an aware datetime nor seconds since the epoch."""

    def __init__(self, time: object) -> None:
        self.time = time
        cure = "give a datetime, as datetime.now(timezone.utc) + timedelta(days=1)"
        if isinstance(time, datetime):
            cure = "give it its zone, for example with datetime.now(timezone.utc)"
        super().__init__(
            f"at is an aware datetime or seconds since the epoch, not {time!r}: {cure}"
        )


class DeliveryDied(DispatcherError):
    """A delivery that another process ran is dead."""

    def __init__(self, delivery_id: int, handler: str, error: str) -> None:
        self.delivery_id = delivery_id
        self.handler = handler
        self.error = error
        last = error.strip().rsplit("\n", 1)[-1]
        super().__init__(f"delivery {delivery_id} to {handler} is dead: {last}")


class EventGoesOn(DispatcherError, RuntimeError):
    """The dispatcher has stopped before an event was dispatched to its end."""

    def __init__(self) -> None:
        super().__init__(
            "the dispatcher has stopped: the event is stored and goes on with the next worker, "
            "but its result will not be known here"
        )


class NameTaken(InvalidOptions):
    """Two durable handlers have the same name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"a handler is registered already under the name {name!r}, by which deliveries find "
            "it: give one of them another with HandlerOptions(name=...)"
        )


class NoCurrentDelivery(DispatcherError, LookupError):
    """No durable handler is being called here."""

    def __init__(self) -> None:
        super().__init__("current_delivery() is known inside of a durable handler only")


class InvalidReplay(DispatcherError, TypeError):
    """A context was given for an event that has none."""

    def __init__(self, delivery_id: int) -> None:
        super().__init__(
            f"the event of delivery {delivery_id} is no twisted_dispatcher.Event and has no "
            "context: replay it as it was"
        )


# Stores


class StoreError(DispatcherError):
    """A store cannot do what it was asked for; nothing of it has been done."""


class BadStoreURL(StoreError, ValueError):
    """A store's URL cannot be understood."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"{reason}: a store's URL is sqlite:///relative/path.db, sqlite:////absolute/path.db, "
            "sqlite:// (in memory) or postgresql://user@host/database"
        )


class StoreUnavailable(StoreError):
    """A store is away, or cannot write at the moment; the same may succeed later."""


class StoreLocked(StoreUnavailable):
    """Another process has kept a store locked for too long."""

    def __init__(self, store: str) -> None:
        self.store = store
        super().__init__(
            f"{store} is locked: another connection keeps a transaction open. End that one; a "
            "transaction that writes should take milliseconds"
        )


class StoreFull(StoreUnavailable):
    """There is no room left where a store lives."""

    def __init__(self, store: str) -> None:
        self.store = store
        super().__init__(
            f"{store} cannot grow: the disk, or the quota, is full. Make room, then try again"
        )


class StoreReadOnly(StoreUnavailable):
    """A store may be read and not be written."""

    def __init__(self, store: str) -> None:
        self.store = store
        super().__init__(
            f"{store} is read-only: make it, and the directory that it is in, writable for the "
            "user that runs this"
        )


class CorruptStore(StoreError):
    """What should be a store is damaged, or is something else."""


class StoreClosed(StoreError, RuntimeError):
    """A store was asked for something after it had been closed."""

    def __init__(self, store: str) -> None:
        self.store = store
        super().__init__(f"{store} has been closed: open it again with open_store()")


class SchemaTooOld(StoreError):
    """A store's tables are missing, or older than this version of the package needs."""

    def __init__(self, url: str, found: int, needed: int) -> None:
        self.found = found
        self.needed = needed
        state = f"has tables of version {found}" if found else "has no tables yet"
        super().__init__(
            f"{url} {state}, and version {needed} is needed: run\n"
            f"    twisted-dispatcher migrate --store {url}\n"
            "or in a Django project, whose migrations make the tables: manage.py migrate"
        )


class SchemaTooNew(StoreError):
    """A store's tables were made by a newer version of the package."""

    def __init__(self, url: str, found: int, needed: int) -> None:
        self.found = found
        self.needed = needed
        super().__init__(
            f"{url} has tables of version {found}, but this version of twisted_dispatcher knows "
            f"only {needed}: install the version that made them, or a newer one"
        )


class ForeignTables(StoreError):
    """Tables with the names of a store's are there, and another program has made them."""

    def __init__(self, url: str, tables: Iterable[str]) -> None:
        self.tables = tuple(tables)
        super().__init__(
            f"{url} has tables that are named as ours and are not ours "
            f"({', '.join(self.tables)}): rename them, or use another database"
        )


class NotStorable(StoreError, ValueError):
    """A database cannot hold a value that it was given."""


class UnknownDelivery(StoreError, KeyError):
    """No delivery has the given id."""

    def __init__(self, delivery_id: object) -> None:
        self.delivery_id = delivery_id
        super().__init__(
            f"no delivery has the id {delivery_id!r}: check the id; or it has been deleted, as "
            "all of an event is after the time for which keys are kept"
        )


class WrongStatus(StoreError, ValueError):
    """A delivery's status does not allow what was asked for."""

    def __init__(self, delivery_id: int, status: str, wish: str, possible: Iterable[str]) -> None:
        self.delivery_id = delivery_id
        self.status = status
        super().__init__(
            f"delivery {delivery_id} is {status}, so that it cannot be {wish}: that is for "
            f"deliveries that are {' or '.join(possible)}"
        )


class PayloadGone(StoreError, ValueError):
    """An event's payload was deleted after the time for which payloads are kept."""

    def __init__(self, delivery_id: int) -> None:
        self.delivery_id = delivery_id
        super().__init__(
            f"the event of delivery {delivery_id} was deleted after the time for which payloads "
            "are kept; only its key is known: fire a new one"
        )


class TransactionMisused(StoreError, RuntimeError):
    """A handler's transaction was ended by the handler, or used after its end."""


# Chains


class ChainError(DispatcherError):
    """The base of what goes wrong with chains."""


class UnknownChainType(ChainError, ValueError, KeyError):
    """No configuration is known for a type of chain."""

    def __init__(self, chain_type: object, known: Iterable[object] = ()) -> None:
        self.chain_type = chain_type
        self.known = tuple(known)
        names = ", ".join(map(repr, self.known)) or "none"
        super().__init__(
            f"Couldn't find a configuration for chain_type {chain_type!r} (known: {names}): mend "
            "the name, or add it to 'chains' of the configuration"
        )


class DuplicateChainType(UserWarning):
    """A type of chain is configured more than once."""


class InvalidChainConfiguration(ChainError, ValueError, TypeError):
    """A configuration of chains has faults."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        number = f"{len(self.faults)} faults" if len(self.faults) != 1 else "a fault"
        listed = "".join(f"\n  - {each}" for each in self.faults)
        super().__init__(f"the configuration of chains has {number}:{listed}")


class UnreadableChainConfiguration(ChainError, ValueError):
    """A file with a configuration of chains cannot be read."""

    def __init__(self, path: object, reason: str) -> None:
        self.path = str(path)
        super().__init__(f"{self.path} cannot be read as a configuration of chains: {reason}")


class VanishedStates(ChainError, ValueError):
    """Live chains are in states that their configuration does not know."""

    def __init__(self, chain_type: str, counts: Mapping[str, int]) -> None:
        self.chain_type = chain_type
        self.counts = dict(counts)
        listed = ", ".join(f"{state!r} ({number:,})" for state, number in counts.items())
        first = next(iter(self.counts), "old")
        super().__init__(
            f"chains of type {chain_type!r} are in states that their configuration does not know: "
            f"{listed}. Add to the configuration of the type what they are to be in instead, "
            f"'renamed': {{{first!r}: 'new_state'}}, and see what it would do with plan_states(); "
            "or list the states again"
        )


class BadRenames(ChainError, ValueError):
    """States are renamed that are not gone, or to states that are not there."""

    def __init__(self, chain_type: str, renamed: Mapping[str, str], states: Iterable[str]) -> None:
        self.chain_type = chain_type
        self.renamed = dict(renamed)
        wrong = ", ".join(f"{old!r} -> {new!r}" for old, new in renamed.items())
        super().__init__(
            f"chains of type {chain_type!r} cannot have states renamed so: {wrong}. The old state "
            f"must be gone, and the new one be one of {', '.join(map(repr, sorted(states)))}"
        )


class InvalidResources(ChainError, ValueError, TypeError):
    """What a chain is about is not a series of pairs of a type and an id."""


class InvalidCallback(ChainError, ValueError, TypeError):
    """What should be called for a transition cannot be called so."""


class InvalidTransition(ChainError, ValueError, TypeError):
    """A transition says something of itself that cannot be."""


class AmbiguousChain(ChainError, ValueError):
    """Several chains have all the resources that were given, and none has exactly these."""

    def __init__(self, chain_type: str, chains: Iterable[Any]) -> None:
        self.chain_type = chain_type
        self.chains = tuple(chains)
        listed = "; ".join(f"{each.id} {each.resources}" for each in self.chains)
        super().__init__(
            f"More than 1 chain of type {chain_type!r} found: {listed}. Give more resources, or "
            "match='exact'"
        )


class UnknownChain(ChainError, KeyError, ValueError):
    """No chain has the given id."""

    def __init__(self, chain_id: object) -> None:
        self.chain_id = chain_id
        super().__init__(
            f"no chain has the id {chain_id!r}: check the id; or it has been deleted, as chains "
            "at their end are after the time for which they are kept"
        )


class NoChain(ChainError, ValueError):
    """A chain was to be executed, and none was named or got before."""

    def __init__(self) -> None:
        super().__init__(
            "there is no chain to execute: give one, or call get_or_create_chain() first"
        )


class WrongChainType(ChainError, ValueError):
    """A chain was given to the dispatcher of another type of chain."""

    def __init__(self, chain_type: str, own: str) -> None:
        self.chain_type = chain_type
        super().__init__(
            f"this is a chain of type {chain_type!r}, and the dispatcher is for {own!r}: give it "
            "to a ChainDispatcher of its own type"
        )


class ChainLocked(ChainError, ValueError):
    """A chain is being executed by somebody else."""

    def __init__(self, chain_id: str) -> None:
        self.chain_id = chain_id
        super().__init__(
            f"Chain is locked, exiting early: chain {chain_id} is being executed. Try again when "
            "that has ended; a lock ends by itself some time after its holder has died"
        )


class ChainNotScheduled(ChainError, ValueError):
    """A chain is not to be executed before a time."""

    def __init__(self, chain_id: str, next_update: Any) -> None:
        self.chain_id = chain_id
        self.next_update = next_update
        super().__init__(
            f"Chain not scheduled to update yet: chain {chain_id} is not executed before "
            f"{next_update}; wait until then"
        )


class ChainDisabled(ChainError, ValueError):
    """A chain has been disabled."""

    def __init__(self, chain_id: str) -> None:
        self.chain_id = chain_id
        super().__init__(
            f"chain {chain_id} is disabled and is not executed: enable it with "
            "ChainDispatcher.enable()"
        )


class ChainLost(ChainError, RuntimeError):
    """A chain was taken over by somebody else while a transition was being made."""

    def __init__(self, chain_id: str) -> None:
        self.chain_id = chain_id
        super().__init__(
            f"chain {chain_id} was taken over while it was executed here, so that nothing was "
            "stored: the lease was too short, or the clock has jumped; who has it now goes on"
        )


class ChainLoop(ChainError, RuntimeError):
    """A chain goes round in its graph and gets nowhere."""

    def __init__(self, chain_id: str, states: Iterable[str]) -> None:
        self.chain_id = chain_id
        self.states = tuple(states)
        super().__init__(
            f"chain {chain_id} was cut off after going round and round "
            f"({' -> '.join(self.states)}): let a transition be invalid at some time, or give it "
            "a next_update"
        )


class StoreWithoutChains(ChainError, TypeError):
    """A store cannot keep chains."""

    def __init__(self, store: object) -> None:
        self.store = store
        super().__init__(
            f"{store!r} has no attribute 'chains' that provides IChainStore: use a store of "
            "open_store(), or add it"
        )


class ChainsNeedStore(ChainError, TypeError):
    """Chains need a dispatcher that keeps them."""

    def __init__(self, dispatcher: object) -> None:
        super().__init__(
            f"{type(dispatcher).__name__} keeps nothing: give a DurableDispatcher to "
            "ChainDispatcher"
        )


class ChainTypeMissing(ChainError, KeyError):
    """A service has no chains of a type."""

    def __init__(self, chain_type: object, known: Iterable[object] = ()) -> None:
        self.chain_type = chain_type
        self.known = tuple(known)
        names = ", ".join(map(repr, self.known)) or "none"
        super().__init__(
            f"the service has no chains of the type {chain_type!r} (it has: {names}): mend the "
            "name, or add them in its setup with service.chains.add()"
        )


class ChainTypeTaken(ChainError, ValueError):
    """A service has chains of a type already."""

    def __init__(self, chain_type: str) -> None:
        self.chain_type = chain_type
        super().__init__(
            f"the service has chains of the type {chain_type!r} already: "
            f"service.chains[{chain_type!r}] gives them"
        )


# Trigger sessions


class TriggerError(DispatcherError):
    """The base of what goes wrong with trigger sessions."""


class InvalidConfiguration(TriggerError, ValueError, TypeError):
    """A configuration of tasks has faults; nothing of it was stored."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        listed = "\n".join(f"- {fault}" for fault in self.faults)
        super().__init__(f"mend the configuration of tasks, nothing was stored:\n{listed}")


class InvalidSession(TriggerError, ValueError, TypeError):
    """What should name a session, a trigger, or kwargs cannot be one."""


class UnknownSession(TriggerError, KeyError):
    """No session has the given uid."""

    def __init__(self, uid: str) -> None:
        self.uid = uid
        super().__init__(
            f"there is no session {uid!r}: mend the uid, call update_configuration() first, or "
            "make the manager with create=True"
        )


class UnknownInstance(TriggerError, KeyError):
    """A session has no instance of the given name."""

    def __init__(self, uid: str, name: object) -> None:
        self.uid = uid
        self.name = name
        super().__init__(
            f"session {uid!r} has no instance {name!r}: give the name of an instance, such as "
            "'t_task#0'"
        )


class UnknownTask(TriggerError, KeyError):
    """A session has no task of the given name."""

    def __init__(self, uid: str, name: object) -> None:
        self.uid = uid
        self.name = name
        super().__init__(
            f"session {uid!r} has no task {name!r}: mend the name, or add it with "
            "update_configuration()"
        )


class WrongInstanceStatus(TriggerError, ValueError):
    """An instance's status does not allow what was asked for."""

    def __init__(self, name: str, status: str, wish: str) -> None:
        self.name = name
        self.status = status
        super().__init__(
            f"instance {name!r} is {status}, and cannot be {wish}: that is for instances that "
            "are failed"
        )


class MaxRetriesExceeded(TriggerError):
    """A task has retried itself as often as it may; its cause is what it failed with."""


class TaskNotImportable(TriggerError, ImportError, ValueError):
    """The code of a task cannot be imported."""


class NotATask(TriggerError, TypeError):
    """What `run` names is neither a TriggerTask nor a callable."""


class InvalidResult(TriggerError, ValueError):
    """A task has returned something that is not a mapping."""


class InvalidKwargs(TriggerError, ValueError):
    """Trigger kwargs have not passed the filters of a task."""


class WorkerDied(TriggerError):
    """The workers of an instance died again and again while it ran."""


class TaskTimeout(TriggerError, TimeoutError):
    """A task ran for longer than its timeout."""


class UnknownType(TriggerError, KeyError):
    """A registry has nothing under the given name."""

    def __init__(self, kind: str, name: object, known: Iterable[str]) -> None:
        self.name = name
        names = ", ".join(sorted(known)) or "none"
        super().__init__(
            f"no {kind} is registered as {name!r} (there are: {names}): mend the name, or "
            "register it by an entry point or with register()"
        )


class StoreWithoutTriggers(TriggerError, TypeError):
    """A store cannot keep trigger sessions."""

    def __init__(self, store: object) -> None:
        self.store = store
        super().__init__(
            f"{store!r} has no attribute 'triggers' that provides ITriggerStore: use a store of "
            "open_store(), or add it"
        )


# Sources of events


class SourceError(DispatcherError):
    """The base of what goes wrong with sources of events."""


class InvalidDeclaration(SourceError, InvalidEvent, KeyError, TypeError):
    """
    A source has given something that declares no event.

    :ivar name: what of it is missing or wrong, if it is one thing.
    """

    def __init__(self, message: str, name: str | None = None) -> None:
        self.name = name
        super().__init__(message)


class KeyCollision(SourceError, ValueError):
    """
    Two events of different groups have the same key, so that the second one was not recorded.

    :ivar group: that of the event that was refused.
    :ivar known_group: that of the event that has the key.
    """

    def __init__(self, key: str, group: str, known_group: str) -> None:
        self.key = key
        self.group = group
        self.known_group = known_group
        super().__init__(
            f"the key {key!r} of an event of group {group!r} is that of another event, of group "
            f"{known_group!r}: this is no duplicate, and was not recorded. Give one of the groups "
            "keys that are its own"
        )


class InvalidSource(SourceError, TypeError, ValueError):
    """A source, what it is to be run on, or a group's pattern cannot be one."""


class SourceBroke(SourceError, RuntimeError):
    """
    A source has raised; what it raised is the cause.

    :ivar source: its name.
    """

    def __init__(self, source: str, error: BaseException) -> None:
        self.source = source
        super().__init__(
            f"{source} has raised {type(error).__name__}, so that it has given no more events: "
            "mend it; what it gave before is recorded"
        )


class UnknownSender(SourceError, KeyError):
    """No source is registered for a sender."""

    def __init__(self, sender: str, known: Iterable[str]) -> None:
        self.sender = sender
        names = ", ".join(sorted(known)) or "none"
        super().__init__(
            f"no source is registered for the sender {sender!r} (there are: {names}): mend the "
            "name, or register one with register_source()"
        )


class SourcesNeedStore(SourceError, TypeError):
    """Sources need a dispatcher that remembers keys."""

    def __init__(self, dispatcher: object) -> None:
        super().__init__(
            f"{type(dispatcher).__name__} forgets which keys it has seen: give a "
            "DurableDispatcher to EventSources"
        )


class StoreWithoutSweeps(SourceError, TypeError):
    """A store cannot keep where sweeps stand."""

    def __init__(self, store: object) -> None:
        self.store = store
        super().__init__(
            f"{store!r} has no attribute 'sweeps' that provides ISweepStore: use a store of "
            "open_store(), add it, or sweep without resume and name"
        )


class UnknownGeneratorSource(DispatcherError, KeyError):
    """A generator names a source that nobody has registered."""

    def __init__(self, source: str, known: Iterable[str]) -> None:
        self.source = source
        super().__init__(
            f"no source is registered as {source!r}; there are: "
            f"{', '.join(sorted(known)) or 'none'}. Add it to Generator.SOURCES, or change the "
            "generator"
        )


class UnknownOperator(DispatcherError, KeyError):
    """A condition compares by something that is no operator."""

    def __init__(self, operator: str, known: Iterable[str]) -> None:
        self.operator = operator
        super().__init__(f"{operator!r} compares nothing; there are: {', '.join(known)}")


class InvalidGenerator(SourceError, ValueError, TypeError):
    """A generator of events, or one of its candidates, is not what it should be."""


# Django


class CannotRead(DispatcherError, ImportError):
    """What would say how things stand is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "how things stand on PostgreSQL is told through psycopg 3, which is not installed: "
            "run `pip install twisted_dispatcher[postgresql]`"
        )


class RowsNotLoadable(DispatcherError, TypeError):
    """The rows of a table of the store cannot be loaded from a fixture."""

    def __init__(self, model: str) -> None:
        self.model = model
        super().__init__(
            f"a {model} has columns that its model does not know, so that loading one would fail, "
            "or change others: copy the database itself (pg_dump, or .backup of sqlite3), "
            "or leave the application out (dumpdata --exclude twisted_dispatcher)"
        )


class ObjectGone(DispatcherError, LookupError):
    """A row that the context of an event refers to is not there any more."""

    def __init__(self, model: str, pk: object, database: str) -> None:
        self.model = model
        self.pk = pk
        self.database = database
        super().__init__(
            f"the {model} with the primary key {pk!r} is not in the database {database!r} any "
            "more: let the handler expect that, or put what it needs into the context"
        )


class HandlerWaits(DispatcherError, TypeError):
    """A handler that is called at once waits for something, which nobody would bring about."""

    def __init__(self, handler: str) -> None:
        self.handler = handler
        super().__init__(
            f"{handler} waits, and while events are handled at once no reactor runs in this "
            "thread: register it as an async def by register_group_handler, or test it with "
            "RUN = 'here'"
        )


class EndlessEvents(DispatcherError, RecursionError):
    """The handlers of an event have recorded others, whose handlers have, and so on."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(
            f"more than {count} events have followed from what was recorded at once: see whether "
            "a handler saves what its own event was made from, under a new key each time"
        )


class HandlersFailed(DispatcherError, AssertionError):
    """
    Handlers have failed in a test, and the test has not looked at that.

    :ivar failed: what each of them came to.
    """

    def __init__(self, failed: Sequence[Any]) -> None:
        self.failed = tuple(failed)
        listed = "".join(
            f"\n- {each.handler} for the event {each.event.key}: {each.error!r}"
            for each in self.failed
        )
        super().__init__(
            f"handlers have failed ({len(self.failed)}), which no save() shows:{listed}\n"
            "where a test expects that, let it call take_failures()"
        )


class ChainInTransaction(DispatcherError, RuntimeError):
    """A chain was asked for within a transaction, which it has no part in."""

    def __init__(self, chain_type: str) -> None:
        self.chain_type = chain_type
        super().__init__(
            f"chains of type {chain_type!r} are found and moved for good, whatever becomes of "
            "the transaction that is open here: do it outside, as with transaction.on_commit(); "
            "in tests, in a TransactionTestCase"
        )


# Settings, services, and the bridge for synchronous programs


class InvalidSettings(DispatcherError, ValueError, TypeError):
    """Settings have faults; nothing was made of them."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        listed = "".join(f"\n- {fault}" for fault in self.faults)
        super().__init__(f"mend the settings, nothing was made of them:{listed}")


class CallTimeout(DispatcherError, TimeoutError):
    """
    A call into the reactor's thread has not ended within its time limit, and was cancelled.

    :ivar begun: whether the function was called at all; if not, it never will be.
    """

    def __init__(self, seconds: float, function: str, begun: bool) -> None:
        self.seconds = seconds
        self.function = function
        self.begun = begun
        what = (
            "did not end within its time limit, and was cancelled: give it more time with timeout="
            if begun
            else "was not begun within its time limit, and will not be: something keeps the "
            "reactor's thread busy, such as a handler that blocks there; have it run in a thread"
        )
        super().__init__(f"{function} ({seconds:g} seconds) {what}")


class ForkedProcess(DispatcherError, RuntimeError):
    """This process was forked from one whose reactor's thread has not come along."""

    def __init__(self) -> None:
        super().__init__(
            "this process was forked from one in which a reactor was there already, and a "
            "reactor does not outlive a fork: call connect() for the first time after the fork, "
            "or start the process afresh (multiprocessing: the methods 'spawn' or 'forkserver')"
        )


class InReactorThread(DispatcherError, RuntimeError):
    """A blocking call was made in the reactor's own thread, which would wait for itself."""

    def __init__(self, function: str) -> None:
        self.function = function
        super().__init__(
            f"{function} would wait in the reactor's thread for that very thread: call the "
            "dispatcher itself here and wait for its Deferred, or do this in another thread, as "
            "handlers with runner='thread' are"
        )


class ConnectionClosed(DispatcherError, RuntimeError):
    """A connection was used after it had been closed, or the reactor's thread has ended."""

    def __init__(self, function: str) -> None:
        self.function = function
        super().__init__(
            f"{function} cannot be called: the connection is closed, or the program ends. What "
            "was accepted goes on with the next worker; connect() again for more"
        )


class SetupWaits(DispatcherError, TypeError):
    """The setup of a service is asynchronous."""

    def __init__(self) -> None:
        super().__init__(
            "the setup of a service gave a coroutine, and nobody waits for it: make it a plain "
            "function, and have what waits begin when when_ready() has fired"
        )


class ServiceStopped(DispatcherError, RuntimeError):
    """A service was started, or added to, that had been stopped, and has closed its store."""

    def __init__(self) -> None:
        super().__init__("the service was stopped and its store is closed: make a new one")


class NeedsStore(DispatcherError, TypeError):
    """Something was asked of a dispatcher in memory that only one with a store can do."""

    def __init__(self, function: str) -> None:
        self.function = function
        super().__init__(
            f"{function} is of no use in memory, where nothing is kept: name a store, for example "
            "connect('sqlite:///events.db')"
        )
