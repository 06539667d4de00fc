"""What is done about events: people get mails."""

from __future__ import annotations

from typing import Any

from examples.challenges.mailing import message_id, render_to_mail


def send_challenge_mail(event: Any) -> None:
    """
    Write to the owner of a challenge; each group of events has its own template.

    The challenge is as it stands in the database now, not as it was when the event was recorded.
    A mail server that is away makes this fail, and it is tried again later.
    """
    challenge = event["challenge"]
    send(event, {"challenge": challenge}, to=challenge.user.email)


def send_donation_mail(event: Any) -> None:
    """Thank somebody who has donated."""
    donation = event["donation"]
    context = {"donation": donation, "challenge": donation.challenge}
    send(event, context, to=donation.email)


def send(event: Any, context: dict[str, Any], *, to: str) -> None:
    """Send the mail of the event's group."""
    mail = render_to_mail(
        f"challenges/mails/{event['group']}",
        context,
        to=[to],
        headers={"Message-ID": message_id(event)},
    )
    mail.send()
