"""A session while a rule changes it: what `rules` says in words, done to copies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from twisted_dispatcher.triggers.configuration import TaskConfig
from twisted_dispatcher.triggers.facts import Deadline, Effects, Fired, Ready, Relay, Timer
from twisted_dispatcher.triggers.session import Instance, Session, Tally
from twisted_dispatcher.triggers.statuses import ABANDONED, SCHEDULED, UNSTARTED


class Draft:
    """
    A session that is being changed, and what follows from it so far.

    :ivar fired_or_settled: whether tasks may have become resolved.
    """

    def __init__(self, session: Session, now: float) -> None:
        self.now = now
        self.uid = session.uid
        self.types = session.types
        self.config = session.config
        self.latest = dict(session.latest)
        self.since = dict(session.since)
        self.metadata = dict(session.metadata)
        self.links = dict(session.links)
        self.heard = dict(session.heard)
        self.timers = dict(session.timers)
        self.instances = dict(session.instances)
        self.fired_or_settled = False
        self._session = session
        self._tallies = dict(session.tallies)
        self._sent = dict(session.sent)
        self._having = dict(session.waiting)
        self._ready: list[Ready] = []
        self._deadlines: list[Deadline] = []
        self._started: list[Timer] = []
        self._fired: list[Fired] = []
        self._relays: list[Relay] = []

    def end(self, about: Instance | None) -> tuple[Session, Effects]:
        """Give the session as it is now, and all that follows."""
        session = attrs.evolve(
            self._session,
            types=self.types,
            config=self.config,
            latest=self.latest,
            since=self.since,
            tallies=self._tallies,
            metadata=self.metadata,
            links=self.links,
            sent=self._sent,
            heard=self.heard,
            timers=self.timers,
            instances=self.instances,
            waiting=self._having,
        )
        effects = Effects(
            True,
            None if about is None else self.instances[about.name],
            tuple(self._ready),
            tuple(self._deadlines),
            tuple(self._started),
            tuple(self._fired),
            tuple(self._relays),
        )
        return session, effects

    def unresolved_tasks(self) -> list[TaskConfig]:
        """Give the tasks that are not resolved, as things stand."""
        return Session(self.uid, "", config=self.config, tallies=self._tallies).unresolved_tasks()

    # Triggers

    def fire(self, trigger: str, kwargs: str) -> None:
        """Let a trigger fire: feed what waits for it, make what is to be made, and settle it."""
        self.latest[trigger] = kwargs
        self.since[trigger] = self.now
        self.fired_or_settled = True
        before = len(self._ready)
        for task in self.config.touched_by(trigger):
            for instance in self._fed(task, trigger, kwargs):
                self._settle(task, instance)
        scheduled = tuple(each.instance for each in self._ready[before:])
        self._fired.append(Fired(trigger, scheduled))
        self._hand_on(trigger, kwargs)

    def _fed(self, task: TaskConfig, trigger: str, kwargs: str) -> list[Instance]:
        """Give the waiting instances of a task, after a trigger has fired."""
        taken = False
        waiting = []
        for instance in self._waiting(task):
            if trigger in task.after and trigger not in instance.kwargs:
                taken = True
                instance = self._put(instance, kwargs={**instance.kwargs, trigger: kwargs})
            if trigger in task.unless and trigger not in instance.vetoes:
                instance = self._put(instance, vetoes=instance.vetoes | {trigger})
            waiting.append(instance)
        first = not self._tally(task.name).count
        if first or (trigger == task.and_every and not taken):
            waiting.append(self._make(task))
        return waiting

    def _waiting(self, task: TaskConfig) -> list[Instance]:
        return sorted(
            (
                each
                for each in self.instances.values()
                if each.status == UNSTARTED and each.task == task.name
            ),
            key=lambda each: each.number,
        )

    def _make(self, task: TaskConfig) -> Instance:
        instance = self._add(
            task.name,
            {name: self.latest[name] for name in task.after if name in self.latest},
            frozenset(name for name in task.unless if name in self.latest),
        )
        if task.deadline is not None and not instance.is_ready(task):
            self._deadlines.append(Deadline(instance.name, task.deadline))
        return instance

    def _settle(self, task: TaskConfig, instance: Instance) -> None:
        if instance.is_vetoed(task):
            self.move(instance, ABANDONED)
        elif instance.is_ready(task):
            self.hand_over(self.move(instance, SCHEDULED), 0.0)

    def _hand_on(self, trigger: str, kwargs: str) -> None:
        links = self.links.get(trigger)
        if links:
            number = self._sent[trigger] = self._sent.get(trigger, 0) + 1
            self._relays += [Relay(uid, name, kwargs, number) for uid, name in links]

    def fire_later(self, timer: str, trigger: str, kwargs: str, delay: float) -> None:
        """Start a timer at whose end a trigger fires."""
        self.timers[timer] = (trigger, kwargs)
        self._started.append(Timer(timer, delay))

    # Instances

    def _add(
        self,
        task: str,
        kwargs: Mapping[str, str],
        vetoes: frozenset[str],
        depth: int = 0,
        parent: str | None = None,
    ) -> Instance:
        tally = self._tally(task)
        instance = Instance(
            task,
            tally.count,
            UNSTARTED,
            kwargs,
            vetoes,
            depth,
            parent,
            times={"created": self.now, "lastModified": self.now},
        )
        self.instances[instance.name] = instance
        self._tallies[task] = Tally(tally.count + 1, tally.unresolved + 1)
        self._count(instance, 1)
        return instance

    def clone(self, parent: Instance, kwargs: Mapping[str, str] | None, delay: float) -> Instance:
        """Make an instance that does again what another one did, and schedule it."""
        made = self._add(
            parent.task,
            parent.kwargs if kwargs is None else kwargs,
            parent.vetoes,
            parent.depth + 1,
            parent.name,
        )
        made = self.move(made, SCHEDULED)
        self.hand_over(made, delay)
        return made

    def move(self, instance: Instance, status: str, **changes: Any) -> Instance:
        """Give an instance a status, and note when that was."""
        self.fired_or_settled = True
        created = instance.times.get("created", self.now)
        times = {**instance.times, "created": created, "lastModified": self.now, status: self.now}
        return self._put(instance, status=status, times=times, **changes)

    def touch(self, instance: Instance, **changes: Any) -> Instance:
        """Change an instance, and note when that was."""
        return self._put(instance, times={**instance.times, "lastModified": self.now}, **changes)

    def hand_over(self, instance: Instance, delay: float) -> None:
        """Have an instance run."""
        self._ready.append(Ready(instance.name, instance.attempt, delay))

    def _put(self, instance: Instance, **changes: Any) -> Instance:
        changed = attrs.evolve(instance, is_counted=True, **changes)
        self.instances[changed.name] = changed
        if instance.is_counted:
            self._count(instance, -1)
        self._count(changed, 1)
        difference = instance.is_resolved - changed.is_resolved
        if difference:
            tally = self._tally(instance.task)
            self._tallies[instance.task] = Tally(tally.count, tally.unresolved + difference)
        return changed

    def _count(self, instance: Instance, by: int) -> None:
        """Count an instance among those that wait, if it does, or no more."""
        if instance.status != UNSTARTED:
            return
        counts = dict(self._having.get(instance.task, {}))
        counts[instance.has] = counts.get(instance.has, 0) + by
        self._having[instance.task] = {has: count for has, count in counts.items() if count}
        if not self._having[instance.task]:
            del self._having[instance.task]

    def _tally(self, task: str) -> Tally:
        return self._tallies.get(task, _NOTHING)


_NOTHING = Tally()
