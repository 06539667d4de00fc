"""Challenges for tests, on a day that the test chooses."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import count
from typing import Any

from django.contrib.auth.models import User
from django.test import override_settings

from examples.challenges.models import Challenge, Donation

BEGINNING = date(2026, 3, 2)

_numbers = count(1)


def on_day(number: int) -> Any:
    """Have it be so many days after the beginning, for a test or for a block of it."""
    return override_settings(TODAY=BEGINNING + timedelta(days=number))


def challenge_of(name: str = "Ada", *, days: int = 30, **values: Any) -> Challenge:
    """Give a challenge of a new user, not saved yet, that lasts so many days."""
    login = f"{name.lower()}{next(_numbers)}"
    user = User.objects.create_user(login, f"{name.lower()}@example.org", first_name=name)
    values.setdefault("title", f"{name} swims across the lake")
    end = BEGINNING + timedelta(days=days)
    return Challenge(user=user, start_date=BEGINNING, end_date=end, **values)


def donation_of(challenge: Challenge, name: str = "Bob", amount: int = 20) -> Donation:
    """Give a donation, not saved yet."""
    email = f"{name.lower()}@example.org"
    return Donation(challenge=challenge, name=name, email=email, amount=amount)
