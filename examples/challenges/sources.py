"""What has happened to a challenge, or to a donation, as far as its row can tell."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

from django.conf import settings

from twisted_dispatcher.django import api

if TYPE_CHECKING:
    from examples.challenges.models import Challenge, Donation

# A challenge with fewer donations after so many days needs a push.
QUIET_DAYS = 2
FEW = 2
# So many days before the end its owner is reminded.
LAST_DAYS = 2


def today() -> date:
    """Give the date; the story and the tests set another one."""
    return settings.TODAY or date.today()


def events_from_challenge(challenge: Challenge) -> Iterator[dict[str, Any]]:
    """
    Give the events of a challenge up to today.

    It may be asked again and again: an event whose key is known does not happen twice. What
    depends on the day is found when somebody asks on that day, which is what a sweep does.
    """
    if not challenge.is_active:
        return
    context = {"challenge": challenge}
    yield api.event("challenge_created", challenge.pk, context)
    if is_quiet(challenge):
        yield api.event("challenge_inactivity_2d", challenge.pk, context)
    days_left = (challenge.end_date - today()).days
    if days_left <= LAST_DAYS:
        yield api.event("challenge_ends_2d", challenge.pk, context)
    if days_left < 0:
        yield api.event("challenge_ended", challenge.pk, context)


def is_quiet(challenge: Challenge) -> bool:
    """Tell whether hardly anybody has donated in the first days."""
    days = (today() - challenge.start_date).days
    return days > QUIET_DAYS and bool(challenge.donations.count() < FEW)


def events_from_donation(donation: Donation) -> Iterator[dict[str, Any]]:
    """Give the one event of a donation."""
    yield api.event("donation_received", donation.pk, {"donation": donation})
