"""
What the site's staff may write mails about, without touching the code.

They choose in the admin, by conditions on these values, which challenges something is said of, and
write the mail about it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from examples.challenges.sources import today

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from examples.challenges.models import Challenge
    from twisted_dispatcher.django.mails.models import Mail


def active_challenges() -> QuerySet[Challenge]:
    """Give the challenges that mails may be about."""
    from examples.challenges.models import Challenge

    return Challenge.objects.filter(is_active=True).select_related("user")


def facts_of(challenge: Challenge) -> dict[str, Any]:
    """Give what conditions ask for, and templates show; the mail goes to the owner."""
    return {
        "challenge": challenge,
        "days": (today() - challenge.start_date).days,
        "percent": 100 * challenge.donated // challenge.goal,
        "spark_mail": {"to": [challenge.user.email]},
    }


facts_of.context_description = (  # type: ignore[attr-defined]
    "days: since it has begun; percent: of its goal that has come together"
)

SOURCE = {
    "candidates": active_challenges,
    "context": facts_of,
    "verbose_name": "active challenges",
}


def example_for(mail: Mail) -> dict[str, Any]:
    """Give a context with which the admin shows a mail."""
    challenge = active_challenges().first()
    return {} if challenge is None else facts_of(challenge)
