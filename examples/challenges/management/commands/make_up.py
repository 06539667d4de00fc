"""Makes up challenges, donations and a mail of the staff, for a site that nobody uses yet."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand

from examples.challenges.models import Challenge, Donation
from examples.challenges.sources import today
from twisted_dispatcher.django.mails.models import Mail
from twisted_dispatcher.django.models import Condition, Generator

# Who does what, for how many days, and who has donated on the first day.
STORIES = (
    ("Ada", "Ada swims across the lake", 10, ("Eve", "Finn")),
    ("Bob", "Bob eats no chocolate & no cake", 30, ("Eve",)),
    ("Cleo", "Cleo reads <War and Peace> aloud", 30, ("Finn", "Gus")),
)

# What the staff has written: which challenges, and what their owners are told.
HINT = (("days", ">=", 5), ("percent", "<", 50))
HINT_TEMPLATE = """
Does your newspaper know?

Hello {{ challenge.user.first_name }},

after {{ days }} days {{ percent }} % of your goal has come together. Newspapers like such stories
as “{{ challenge }}”: write to yours.
"""


class Command(BaseCommand):
    """Saves them one by one, as people would who filled in forms."""

    help = "Makes up three challenges that begin today, with donations; once only."

    def handle(self, *args: Any, **options: Any) -> None:
        if Challenge.objects.exists():
            self.stdout.write("There are challenges already")
            return
        # Whoever can reach the site is on this machine, see settings.
        User.objects.create_superuser("admin", "admin@example.org", "admin")
        for name, title, days, donors in STORIES:
            challenge = begin(name, title, days)
            for donor in donors:
                donate(challenge, donor)
        write_a_mail()
        self.stdout.write(f"{len(STORIES)} challenges begin on {today()}")


def begin(name: str, title: str, days: int) -> Challenge:
    """Somebody registers, and begins a challenge."""
    user = User.objects.create_user(name.lower(), f"{name.lower()}@example.org", first_name=name)
    end_date = today() + timedelta(days=days)
    challenge = Challenge(user=user, title=title, start_date=today(), end_date=end_date, goal=100)
    challenge.save()
    return challenge


def donate(challenge: Challenge, name: str) -> None:
    """Somebody donates."""
    email = f"{name.lower()}@example.org"
    Donation.objects.create(challenge=challenge, name=name, email=email, amount=20)


def write_a_mail() -> None:
    """The staff writes a mail in the admin, and says whom it is for."""
    generator = Generator.objects.create(group="hint_newspaper", source="challenges")
    for variable, operator, value in HINT:
        Condition.objects.create(
            generator=generator, variable=variable, operator=operator, value=value
        )
    Mail.objects.create(event_group=generator.group, template_source=HINT_TEMPLATE)
