"""
Recording events on Django's own connection, in the transaction that is open there.

What is recorded in a transaction is there if, and only if, the transaction commits: what is rolled
back has never happened. Handlers see nothing of it before.

Where the database in whose transaction something happens is not the one that the events live in,
they are recorded after that transaction has committed, in one of their own. What is rolled back
has never happened then either; but a process that dies between the two commits loses the events,
until a sweep (``process_event_sources``) finds that they are missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

import attrs
from django.db import DatabaseError, connections, transaction

from twisted_dispatcher.django.commits import at_commit
from twisted_dispatcher.django.conf import AT_ONCE, conf
from twisted_dispatcher.django.cursors import cursor_on
from twisted_dispatcher.django.databases import kind_of, takes_several
from twisted_dispatcher.django.problems import tell
from twisted_dispatcher.django.unmigrated import NotMigrated, has_not_migrated
from twisted_dispatcher.durable.codec import default_codec
from twisted_dispatcher.durable.keys import KeyMaker
from twisted_dispatcher.errors import KeyCollision, NotEncodable
from twisted_dispatcher.events import Event
from twisted_dispatcher.records import Acceptance, NewEvent
from twisted_dispatcher.sources import declared
from twisted_dispatcher.stores.outbox import Entry, outbox_on

_keys: Final = KeyMaker()


@attrs.define(eq=False)
class Draft:
    """
    An event that is about to be recorded.

    :ivar declaration: as its source has given it.
    :ivar source: the name of the source.
    """

    declaration: Any
    source: str
    event: Event
    new: NewEvent


@attrs.define(eq=False)
class Recorded:
    """
    What became of an event.

    :ivar acceptance: its id and key, and whether it was not known before; None where it is
        recorded later, after the commit on another database.
    :ivar collision: that the key is that of an event of another group; nothing was recorded then.
    """

    draft: Draft
    acceptance: Acceptance | None
    collision: KeyCollision | None = None

    @property
    def event(self) -> Event:
        """The event, as its source has given it."""
        return self.draft.event

    @property
    def event_id(self) -> int | None:
        """The id of the event, if it is recorded."""
        return None if self.acceptance is None else self.acceptance.event_id

    @property
    def is_new(self) -> bool:
        """Whether it was recorded just now."""
        return self.acceptance is not None and self.acceptance.new


Follower = Callable[[Sequence[Recorded], str], object]

_followers: Final[list[Follower]] = []


def follow(follower: Follower) -> None:
    """
    Have a function called with new events, whenever some were recorded.

    It is called with them and the alias of the database, in the thread and in the transaction in
    which they were recorded. What it raises goes to whoever records.
    """
    if follower not in _followers:
        _followers.append(follower)


def leave(follower: Follower) -> None:
    """Call a function that followed no more."""
    _followers.remove(follower)


def drafted(declaration: Any, source: str = "a stream") -> Draft:
    """
    Write an event down, as it is to be stored.

    :param declaration: what a source gives; see `twisted_dispatcher.sources.declared`.
    :raises InvalidDeclaration, InvalidKey: when it declares no event.
    :raises NotEncodable: when it could not be read back as it is, with the path to the culprit.
    """
    event = declared(declaration)
    now = time.time()
    key = _keys.key_of(event, None, now)
    _require_storable(key)
    body = default_codec.encode(event)
    details, lane = _details_of(event.type, conf().order_by)
    return Draft(declaration, source, event, NewEvent(key, body, details, lane, now, None))


def _require_storable(key: str) -> None:
    """Refuse a key that not every database can hold."""
    try:
        key.encode()
    except UnicodeEncodeError as error:
        raise NotEncodable("has half a character, which is no text", "event['key']") from error
    if "\0" in key:
        raise NotEncodable("has a null character: leave it out", "event['key']")


@lru_cache(maxsize=1024)
def _details_of(group: str, order_by: tuple[str, ...] | None) -> tuple[str, str | None]:
    """Give the details of the events of a group, as the codec writes them, and their lane."""
    details = {"group": group}
    lane = None
    if order_by is not None:
        lane = default_codec.lane_text([details[keyword] for keyword in order_by])
    return default_codec.encode(details, "details"), lane


def record(events: Iterable[Any], using: str | None = None) -> list[Recorded]:
    """
    Record events in the transaction that is open; where none is, in one of their own.

    :param events: declarations; all of them are recorded, or none.
    :param using: the alias of the database in whose transaction they happen; by default that of
        the database that they live in.
    :return: what became of each, in order.
    :raises InvalidDeclaration, InvalidKey, NotEncodable: as `drafted` does.
    :raises django.db.DatabaseError: when they cannot be stored.
    """
    return record_drafts([drafted(each) for each in events], using)


def record_drafts(drafts: Sequence[Draft], using: str | None = None) -> list[Recorded]:
    """Record events that are written down already; see `record`."""
    alias = conf().database
    if not drafts:
        return []
    if using is not None and using != alias:
        _record_later(drafts, using)
        return [Recorded(each, None) for each in drafts]
    connection = connections[alias]
    # Where commits are made by hand, a block of Django's would make one on SQLite.
    if connection.in_atomic_block or not connection.get_autocommit():
        return record_on(connection, drafts)
    with transaction.atomic(using=alias):
        return record_on(connection, drafts)


def _record_later(drafts: Sequence[Draft], using: str) -> None:
    """Record events when a transaction has committed that is not the events' own."""

    def record_after_commit() -> None:
        for each in record_drafts(drafts):
            if each.collision is not None:
                tell(each.draft.source, each.draft.new.key, each.collision)

    when_committed(record_after_commit, using)


def when_committed(function: Callable[[], object], using: str) -> None:
    """
    Have events recorded when a transaction has committed that is not the events' own.

    :param function: records them; what it raises is logged, or raised where events are handled at
        once.
    """
    if conf().run == AT_ONCE:
        at_commit(function, using)
    else:
        transaction.on_commit(function, using=using, robust=True)


def record_on(
    connection: Any, drafts: Sequence[Draft], and_commit: bool = False
) -> list[Recorded]:
    """
    Record events in the transaction that is open on the connection to the events' database.

    :param and_commit: where that is cheaper than to commit separately, it is committed as well.
    :raises NotMigrated: when the tables are missing; it is a DatabaseError, too.
    """
    accept_on = outbox_on(kind_of(connection))
    new = [each.new for each in drafts]
    try:
        with cursor_on(connection) as cursor:
            commits = and_commit and takes_several(connection, cursor)
            entries = accept_on(cursor, new, time.time(), commits)
    except DatabaseError as error:
        if has_not_migrated(error):
            raise NotMigrated(connection.alias) from error
        raise
    recorded = [_told(draft, entry) for draft, entry in zip(drafts, entries)]
    new_ones = [each for each in recorded if each.is_new]
    if new_ones:
        for follower in tuple(_followers):
            follower(new_ones, connection.alias)
    return recorded


def _told(draft: Draft, entry: Entry) -> Recorded:
    collision = None
    if entry.details != draft.new.details:
        collision = _collision(draft, entry)
    return Recorded(draft, entry.acceptance, collision)


def _collision(draft: Draft, entry: Entry) -> KeyCollision | None:
    """Tell whether the event that has the key is one of another group."""
    group = default_codec.decode(entry.details).get("group")
    if not isinstance(group, str) or group == draft.event.type:
        return None
    return KeyCollision(draft.new.key, draft.event.type, group)
