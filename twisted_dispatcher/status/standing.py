"""Why a chain has not gone on: pure rules, without a store or a clock."""

from __future__ import annotations

import json
from typing import Any, Final

import attrs

from twisted_dispatcher.chainrecords import HistoryRow, Pairs, StoredChain
from twisted_dispatcher.status.reasons import NOT_DUE, Reason, in_utc, last_line

# The codes of the reasons of chains, beside `NOT_DUE`.
ENDED: Final = "ended"
DISABLED: Final = "disabled"
EXECUTING: Final = "executing"
PARKED: Final = "parked"
FAILED: Final = "failed"
REFUSED: Final = "refused"
DUE_CHAIN: Final = "due_chain"

CHAIN_CODES: Final = (
    ENDED,
    DISABLED,
    EXECUTING,
    PARKED,
    FAILED,
    REFUSED,
    NOT_DUE,
    DUE_CHAIN,
)


@attrs.frozen
class ChainStory:
    """
    A chain, how it stands, and what has become of it so far.

    :ivar refusals: at the last attempt, the errors of each transition, by its name.
    :ivar signals: what has arrived for it and was not used up, as JSON values, by name.
    """

    chain: StoredChain
    reason: Reason
    refusals: dict[str, list[Any]]
    signals: dict[str, Any]
    history: tuple[HistoryRow, ...]


def refusals_of(chain: StoredChain) -> dict[str, list[Any]]:
    """Give the errors of each transition that was refused at the last attempt."""
    found = json.loads(chain.refusals or "{}")
    return {name.strip("<>"): errors for name, errors in found.items()}


def reason_of_chain(chain: StoredChain, now: float) -> Reason:
    """Say how a chain stands, what keeps it from going on, and what to do about it."""
    if chain.ended:
        return Reason(
            ENDED, f"at its end since {in_utc(chain.entered)}: no transition leaves {chain.state}"
        )
    if chain.locked_until > now:
        return Reason(
            EXECUTING,
            f"being executed: whoever does it has it until {in_utc(chain.locked_until)}, or gives "
            "it back before",
            chain.locked_until,
        )
    if chain.disabled:
        return Reason(
            DISABLED, f"disabled: let it go on with `twisted-dispatcher enable {chain.id}`"
        )
    return _of_what_may_run(chain, now)


def _of_what_may_run(chain: StoredChain, now: float) -> Reason:
    if chain.parked:
        return Reason(
            PARKED,
            f"parked after {chain.failures} failures, the last one: {last_line(chain.error)}. "
            f"Mend the cause, then `twisted-dispatcher resume {chain.id}`",
        )
    if chain.error:
        return Reason(
            FAILED,
            f"executing it has failed {chain.failures} times, the last time with: "
            f"{last_line(chain.error)}. It is tried again {_when(chain.due, now)}",
            chain.due,
        )
    if chain.is_early(now):
        return Reason(
            NOT_DUE, f"not executed before {in_utc(chain.next_update or 0.0)}", chain.next_update
        )
    if chain.refusals:
        return _refused(chain, now)
    return Reason(
        DUE_CHAIN,
        f"due {_when(chain.due, now)}, as soon as a process whose schedule of "
        f"{chain.chain_type} runs has room for it",
        chain.due,
    )


def _refused(chain: StoredChain, now: float) -> Reason:
    told = "; ".join(
        f"{name} ({', '.join(map(str, errors)) or 'it gave no reason'})"
        for name, errors in refusals_of(chain).items()
    )
    tried = "" if chain.tried is None else f" at {in_utc(chain.tried)}"
    what = f"no transition was valid{tried}: {told}" if told else f"no transition was valid{tried}"
    return Reason(REFUSED, f"{what}. It is tried again {_when(chain.due, now)}", chain.due)


def _when(due: float | None, now: float) -> str:
    if due is None:
        return "only when somebody executes it"
    return "now" if due <= now else f"at {in_utc(due)}"


def pair_text(pairs: Pairs) -> str:
    """Give resources as people write them."""
    return ", ".join(f"{kind}={value}" for kind, value in pairs)
