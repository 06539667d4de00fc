"""
What the commands write of trigger sessions, for people and for programs.

Kwargs and results, which may hold secrets, are left out unless they were asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import attrs

from twisted_dispatcher.cli.forms import Form, time_form
from twisted_dispatcher.cli.screen import ConsoleScreen
from twisted_dispatcher.status.reasons import in_utc
from twisted_dispatcher.triggerrecords import SessionSummary
from twisted_dispatcher.triggers import TaskInstance, TriggerStorage
from twisted_dispatcher.triggers.explaining import Explanation, explain
from twisted_dispatcher.triggers.statuses import UNSTARTED

_SUMMARY = ("session", "changed", "waiting", "going on", "to decide")
_INSTANCE = ("instance", "status", "since", "note")


def summary_table(screen: ConsoleScreen, sessions: Sequence[SessionSummary]) -> None:
    """Show sessions."""
    rows = [
        (each.uid, in_utc(each.changed), str(each.waiting), str(each.active), str(each.open))
        for each in sessions
    ]
    if rows:
        screen.table(_SUMMARY, rows)
    else:
        screen.tell("no sessions")


def summary_form(session: SessionSummary) -> Form:
    """Give a session with its numbers."""
    return {**attrs.asdict(session), "changed": time_form(session.changed)}


def session_text(screen: ConsoleScreen, storage: TriggerStorage, payload: bool = False) -> None:
    """Show all of a session: its instances, its tasks without any, and the errors."""
    unresolved = len(storage.get_unresolved_instances())
    screen.report(
        f"session {storage.uid}: {len(storage.tasks)} tasks, {len(storage)} instances, "
        f"{unresolved} of them not resolved"
    )
    rows = [_row(storage, each) for each in _in_order(storage)]
    rows += [
        (name, "", "", explain(storage.session, task).verdict)
        for name, task in storage.tasks.items()
        if not storage.instances_of_task(name)
    ]
    if rows:
        screen.table(_INSTANCE, rows)
    for each in _in_order(storage):
        _tell_rest(screen, each, payload)


def _tell_rest(screen: ConsoleScreen, instance: TaskInstance, payload: bool) -> None:
    metadata = instance.metadata
    if payload:
        said = {"kwargs": instance.kwargs, "result": metadata.get("result")}
        screen.report(f"{instance.name}: {json.dumps(said, indent=2, default=str)}")
    if "exceptionInfo" in metadata:
        screen.report(f"{instance.name}:\n{str(metadata['exceptionInfo']).rstrip()}\n")


def _row(storage: TriggerStorage, instance: TaskInstance) -> tuple[str, ...]:
    since = instance.metadata["timestamps"].get(instance.status)
    return (instance.name, instance.status, _time(since), "; ".join(_notes(instance)))


def _notes(instance: TaskInstance) -> Iterator[str]:
    metadata = instance.metadata
    if instance.status == UNSTARTED and instance.config is not None:
        missing = sorted(instance.config.after - instance.kwargs.keys())
        yield f"lacks {', '.join(missing)}" if missing else "runs at the next of its triggers"
    if "exceptionType" in metadata:
        yield str(metadata["exceptionType"])
    if instance.parent is not None:
        yield f"replays {instance.parent}"
    if metadata.get("workersDied"):
        yield f"its workers died: {metadata['workersDied']}"


def _in_order(storage: TriggerStorage) -> list[TaskInstance]:
    def place(instance: TaskInstance) -> tuple[str, int]:
        return instance.task_name, int(instance.name.rpartition("#")[2])

    return sorted(storage, key=place)


def session_form(storage: TriggerStorage, payload: bool = False) -> Form:
    """Give a session with its instances; with its payload also what these were fired with."""
    return {
        "uid": storage.uid,
        "tasks": {
            name: explanation_form(explain(storage.session, task))
            for name, task in storage.tasks.items()
        },
        "instances": [_instance_form(each, payload) for each in _in_order(storage)],
    }


def _instance_form(instance: TaskInstance, payload: bool) -> Form:
    if payload:
        return dict(instance.plain())
    metadata = instance.metadata
    return {
        "name": instance.name,
        "task": instance.task_name,
        "status": instance.status,
        "resolved": instance.is_resolved,
        "parent": instance.parent,
        "error": metadata.get("exceptionType"),
        "workers_died": metadata.get("workersDied", 0),
        "times": _times(metadata["timestamps"]),
    }


def explanation_form(explanation: Explanation) -> Form:
    """Give why a task has not run."""
    return {
        **attrs.asdict(explanation),
        "fired": _times(explanation.fired),
        "against": _times(explanation.against),
    }


def _times(times: Mapping[str, datetime]) -> Form:
    return {name: _time(time) for name, time in times.items()}


def _time(time: datetime | None) -> str:
    return "" if time is None else in_utc(time.timestamp())
