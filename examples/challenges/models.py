"""What the site keeps: challenges, and the donations that they have brought."""

from __future__ import annotations

from datetime import date

from django.conf import settings
from django.db import models


class Challenge(models.Model):
    """
    Somebody does something hard, for some time, and others donate for it.

    :ivar user: whose challenge it is.
    :ivar is_active: nothing happens to one that is not, and nobody gets a mail.
    :ivar goal: so much money is to come together.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="challenges"
    )
    title = models.CharField(max_length=200)
    start_date = models.DateField(default=date.today)
    end_date = models.DateField()
    goal = models.PositiveIntegerField(default=1000)
    is_active = models.BooleanField(default=True)

    class Meta:
        """How challenges are listed."""

        ordering = ["-start_date", "pk"]

    def __str__(self) -> str:
        return str(self.title)

    @property
    def donated(self) -> int:
        """The money that has come together."""
        return self.donations.aggregate(total=models.Sum("amount"))["total"] or 0


class Donation(models.Model):
    """Money that somebody gives for a challenge."""

    challenge = models.ForeignKey(Challenge, on_delete=models.CASCADE, related_name="donations")
    name = models.CharField(max_length=200)
    email = models.EmailField()
    amount = models.PositiveIntegerField()
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        """How donations are listed."""

        ordering = ["-created", "pk"]

    def __str__(self) -> str:
        return f"{self.name}: {self.amount}"
