"""How sessions become rows, and rows sessions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from twisted_dispatcher.durable.codec import Codec
from twisted_dispatcher.triggerrecords import (
    ACTIVE,
    OPEN,
    WAITING,
    InstanceRow,
    SessionChange,
    SessionForm,
    SessionRow,
)
from twisted_dispatcher.triggers.configuration import Configuration, task_from
from twisted_dispatcher.triggers.session import Heard, Instance, Session, Tally
from twisted_dispatcher.triggers.statuses import ACTIVE as GOING_ON
from twisted_dispatcher.triggers.statuses import UNSTARTED
from twisted_dispatcher.triggers.touching import mark_of

# So many configurations are kept in memory as they were read.
MOST_CONFIGURATIONS = 1000


class Forms:
    """
    Reads and writes sessions, with the codec of one dispatcher.

    The configuration is what is costly to read. It seldom changes, so it is stored by itself, and
    remembered by its text.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._config_of = lru_cache(MOST_CONFIGURATIONS)(self._read_config)
        self.form = SessionForm(self.read, instance_of, join, self.changes)

    def read(self, row: SessionRow, rows: Sequence[InstanceRow] = ()) -> Session:
        """Give the session of rows."""
        state = json.loads(row.state)
        return Session(
            row.uid,
            state["token"],
            tuple(state["types"]),
            self._config_of(row.config),
            state["latest"],
            state["since"],
            {task: Tally(*counts) for task, counts in state["tallies"].items()},
            state.get("metadata", {}),
            {trigger: tuple(map(tuple, each)) for trigger, each in state.get("links", {}).items()},
            state.get("sent", {}),
            {
                trigger: Heard(upto, frozenset(beyond))
                for trigger, (upto, beyond) in state.get("heard", {}).items()
            },
            {name: tuple(each) for name, each in state.get("timers", {}).items()},
            {each.name: instance_of(each) for each in rows},
            state.get("waiting", {}),
            state.get("marked", False),
        )

    def _read_config(self, text: str) -> Configuration:
        found: dict[str, Any] = self._codec.decode(text)
        return Configuration({name: task_from(name, each) for name, each in found.items()})

    def changes(self, before: Session | None, after: Session) -> SessionChange:
        """Give the rows that have changed, or are new."""
        config = None
        if before is None or before.config is not after.config:
            tasks = {name: task.directives() for name, task in after.config.tasks.items()}
            config = self._codec.encode(tasks, "configuration")
        known = {} if before is None else before.instances
        return SessionChange(
            config,
            _state_of(after),
            tuple(
                row_of(each)
                for name, each in after.instances.items()
                if known.get(name) is not each
            ),
        )


def join(session: Session, instances: Mapping[str, Instance]) -> Session:
    """Give a session with some instances more."""
    return session.with_instances({**session.instances, **instances})


def _state_of(session: Session) -> str:
    state: dict[str, Any] = {
        "token": session.token,
        "types": session.types,
        "latest": session.latest,
        "since": session.since,
        "tallies": {
            task: (tally.count, tally.unresolved) for task, tally in session.tallies.items()
        },
    }
    if session.waiting:
        state["waiting"] = session.waiting
    if session.is_marked:
        state["marked"] = True
    if session.metadata:
        state["metadata"] = session.metadata
    if session.links:
        state.update(links=session.links, sent=session.sent)
    if session.timers:
        state["timers"] = session.timers
    if session.heard:
        state["heard"] = {
            trigger: (heard.upto, sorted(heard.beyond)) for trigger, heard in session.heard.items()
        }
    return json.dumps(state)


def row_of(instance: Instance) -> InstanceRow:
    """Write an instance as a row."""
    live = None
    if instance.status == UNSTARTED:
        live = WAITING
    elif instance.status in GOING_ON:
        live = ACTIVE
    elif not instance.is_resolved:
        live = OPEN
    body: dict[str, Any] = {"kwargs": instance.kwargs, "times": instance.times}
    others = {
        "vetoes": sorted(instance.vetoes),
        "depth": instance.depth,
        "parent": instance.parent,
        "attempt": instance.attempt,
        "deaths": instance.deaths,
        "overdue": instance.overdue,
        "log_level": instance.log_level,
        "logs_resolved": instance.logs_resolved,
        "metadata": instance.metadata,
    }
    body.update((name, value) for name, value in others.items() if value)
    return InstanceRow(
        instance.name,
        instance.task,
        instance.number,
        instance.status,
        live,
        json.dumps(body),
        mark_of(instance.has) if live == WAITING else "",
    )


def instance_of(row: InstanceRow) -> Instance:
    """Read an instance from its row."""
    body = json.loads(row.body)
    body["vetoes"] = frozenset(body.get("vetoes", ()))
    is_counted = row.live != WAITING or bool(row.mark)
    return Instance(row.task, row.number, row.status, is_counted=is_counted, **body)
