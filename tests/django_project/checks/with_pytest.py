"""Tests as they are written for pytest-django; see `tests.test_django`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.django_project.handling import handlers
from twisted_dispatcher import Event
from twisted_dispatcher.django.api import event, process_events
from twisted_dispatcher.django.models import Delivery
from twisted_dispatcher.django.testing import deliver_at_once

SEEN: list[str] = []


def see(event: Event) -> None:
    """Keep the key of an event."""
    SEEN.append(str(event["key"]))


def fail(event: Event) -> None:
    """Fail."""
    raise LookupError


@pytest.fixture
def delivered() -> Iterator[deliver_at_once]:
    """Have events handled at once."""
    SEEN.clear()
    with handlers((see, "joined"), (fail, "failed")), deliver_at_once() as found:
        yield found


@pytest.mark.django_db
@pytest.mark.parametrize("time", ["once", "again"])
def test_rolled_back(delivered: deliver_at_once, time: str) -> None:
    """An event is handled at once, and after the test it has never been there."""
    assert not Delivery.objects.exists()
    process_events([event("joined", 1)])
    assert SEEN == ["joined_1"]


@pytest.mark.django_db(transaction=True)
def test_committed(delivered: deliver_at_once) -> None:
    """It is the same where transactions are committed."""
    process_events([event("joined", 1)])
    assert SEEN == ["joined_1"]


@pytest.mark.django_db
def test_expected(delivered: deliver_at_once) -> None:
    """A test that expects failures takes them."""
    process_events([event("failed", 1)])
    assert [each.handler for each in delivered.take_failures()] == [f"{__name__}.fail"]


@pytest.mark.django_db
def test_not_expected(delivered: deliver_at_once) -> None:
    """A test that does not look at a failure ends with an error; this one is there for it."""
    process_events([event("failed", 1)])
