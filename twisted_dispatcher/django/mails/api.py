"""
What projects call, under the names that django-spark has given it.

Importing this module imports no model, so that applications may do it while they get ready.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.db import DatabaseError, connections
from twisted.python.failure import Failure

from twisted_dispatcher.django.conf import conf
from twisted_dispatcher.django.containing import contained
from twisted_dispatcher.django.mails.composing import Composer
from twisted_dispatcher.django.mails.sending import mail_event
from twisted_dispatcher.django.outbox import (
    Draft,
    Recorded,
    drafted,
    record_drafts,
    when_committed,
)
from twisted_dispatcher.django.streams import NewEvents, Recorder, Report
from twisted_dispatcher.sources import declared

__all__ = ["mails_from_events", "process_mail_events"]


def mails_from_events(
    events: Iterable[Any],
    *,
    mails: Mapping[str, str] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> Iterator[EmailMultiAlternatives]:
    """
    Give the mails about the events of a stream; nothing is sent, and nothing recorded.

    :param events: declarations; those without ``spark_mail`` in their context are passed over.
    :param mails: by group, the templates to take instead of those in the database.
    :param defaults: arguments of `EmailMultiAlternatives` that an event may leave out.
    :raises InvalidMail, InvalidDeclaration: when a mail cannot be made.
    """
    composer = Composer(mails, defaults)
    for each in events:
        options = composer.options_of(declared(each))
        if options is not None:
            yield EmailMultiAlternatives(**options)


def process_mail_events(
    events: Iterable[Any],
    *,
    mails: Mapping[str, str] | None = None,
    defaults: Mapping[str, Any] | None = None,
    using: str | None = None,
) -> Report:
    """
    Write the mails about the events of a stream, and have each of them sent once.

    A mail is written as it is to be, and recorded as an event of its own, which is handled like
    any other: after the commit. What makes no mail is logged and reported; the rest goes on.

    :param events: as `mails_from_events` takes them. Where it is what `only_new_events` gives,
        there are mails about new events only; an event is recorded together with its mail, and is
        new again where it makes none.
    :param mails, defaults: as `mails_from_events` takes them.
    :param using: see `~twisted_dispatcher.django.streams.process_events`; not for what
        `only_new_events` gives, which knows it.
    :return: what became of the mails.
    :raises InvalidSource: when it cannot be iterated over.
    :raises django.db.DatabaseError: when a mail cannot be stored; and what the stream raises of
        that kind within a transaction, which is spoilt by it.
    """
    report = Report()
    composer = Composer(mails, defaults)
    if isinstance(events, NewEvents):
        recorder, using = events.recorder, events.recorder.using
    else:
        recorder = Recorder(events, using, report)
    while not recorder.is_over:
        for draft in recorder.draw(1):
            try:
                if isinstance(events, NewEvents):
                    recorded = _record_both(draft, composer, events, using)
                else:
                    recorded = _record_mail(draft, composer, using)
            except DatabaseError:
                raise
            except Exception:
                report.add_problem(draft.source, draft.new.key, Failure())
            else:
                if recorded is not None:
                    report.add(recorded)
    return report


def _record_both(
    draft: Draft, composer: Composer, events: NewEvents, using: str | None
) -> Recorded | None:
    """
    Record an event and, where it is new, the mail about it: both of them, or neither.

    Who records the same event at the same time writes the same mail, which is recorded once.
    """
    from twisted_dispatcher.django.models import Event

    if using is not None and using != conf().database:
        _record_both_later(draft, composer, events, using)
        return None
    drafts = [draft]
    if not Event.objects.filter(key=draft.new.key).exists():
        drafts += _mails_about(draft, composer, using)
    recorded, *mails = record_drafts(drafts)
    events.report.add(recorded)
    return mails[0] if mails else None


def _record_both_later(draft: Draft, composer: Composer, events: NewEvents, using: str) -> None:
    """Do so when the transaction on another database has committed, as events are recorded."""

    def record_after_commit() -> None:
        _record_both(draft, composer, events, None)

    when_committed(record_after_commit, using)


def _record_mail(draft: Draft, composer: Composer, using: str | None) -> Recorded | None:
    """Write the mail about an event and record it, if the event wants one."""
    recorded = record_drafts(_mails_about(draft, composer, using), using)
    return recorded[0] if recorded else None


def _mails_about(draft: Draft, composer: Composer, using: str | None) -> list[Draft]:
    """Write the mail about an event, if it wants one."""
    with contained(connections[using or conf().database], draft.source):
        options = composer.options_of(draft.event)
    return [] if options is None else [drafted(mail_event(draft.new.key, options), draft.source)]
