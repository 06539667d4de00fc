"""Chains: durable state machines that make each of their transitions once, over days."""

from twisted_dispatcher.chains.chain import Chain, ChainResult, HistoryEntry
from twisted_dispatcher.chains.dispatcher import ChainDispatcher
from twisted_dispatcher.chains.keeping import ChainStanding
from twisted_dispatcher.chains.states import DONE, NEW
from twisted_dispatcher.chains.transition import Transition, exactly_once
from twisted_dispatcher.chains.versions import StatePlan
from twisted_dispatcher.errors import (
    AmbiguousChain,
    ChainDisabled,
    ChainError,
    ChainLocked,
    ChainLoop,
    ChainLost,
    ChainNotScheduled,
    InvalidChainConfiguration,
    UnknownChain,
    UnknownChainType,
    VanishedStates,
)

__all__ = [
    "DONE",
    "NEW",
    "AmbiguousChain",
    "Chain",
    "ChainDisabled",
    "ChainDispatcher",
    "ChainError",
    "ChainLocked",
    "ChainLoop",
    "ChainLost",
    "ChainNotScheduled",
    "ChainResult",
    "ChainStanding",
    "HistoryEntry",
    "InvalidChainConfiguration",
    "StatePlan",
    "Transition",
    "UnknownChain",
    "UnknownChainType",
    "VanishedStates",
    "exactly_once",
]
