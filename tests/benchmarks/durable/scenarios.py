"""The scenarios of durable dispatch; each is measured on each kind of store."""

from __future__ import annotations

from tests.benchmarks.durable.daemons import daemons
from tests.benchmarks.durable.others import missing, others
from tests.benchmarks.durable.outside import fsyncs, memory
from tests.benchmarks.durable.saturated import saturated
from tests.benchmarks.durable.speed import (
    Scale,
    callers,
    one_caller,
    recording,
    with_settled_events,
)
from tests.benchmarks.on_stores.scenarios import Kind

EVENTS = "events/s"


def kinds(scale: Scale) -> list[Kind[Scale]]:
    """Gives all scenarios, in the order of the report."""
    settled = f"100 callers, {scale.settled:,} settled events in the store or none"
    waiting = f"Memory of a daemon, {scale.waiting:,} deliveries waiting in the store or none"
    return [
        Kind("one", "One event after another", EVENTS, one_caller),
        Kind("callers", "Many callers, each waiting for its event", EVENTS, callers),
        Kind("recording", "Accepting events that nobody handles", EVENTS, recording),
        Kind("settled", settled, EVENTS, with_settled_events),
        Kind("saturated", "100 callers, every turn busy for 2 ms", "", saturated, compared=False),
        Kind("daemons", "Daemons on one database, 100 callers each", EVENTS, daemons),
        Kind("fsyncs", "Calls of fsync for a group of events", "calls", fsyncs, compared=False),
        Kind("memory", waiting, "MiB", memory),
        Kind(
            "peers",
            "Other libraries; by one caller, and by 100 at once",
            EVENTS,
            others,
            missing=missing,
        ),
    ]
