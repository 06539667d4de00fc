"""Models of all kinds, so that all kinds of events can be made from them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.db import models


class Member(models.Model):
    """Somebody with a name."""

    name = models.CharField(max_length=100)
    active = models.BooleanField(default=True)

    def __str__(self) -> str:
        return str(self.name)


class Patron(Member):
    """A member in two tables."""

    level = models.IntegerField(default=1)


class Veteran(Member):
    """A member under another name, in the same table."""

    class Meta:
        proxy = True


class Gift(models.Model):
    """What a member gave; its key is known before it is saved."""

    id = models.UUIDField(primary_key=True, default=uuid4)
    member: Any = models.ForeignKey(Member, models.CASCADE, related_name="gifts")
    amount = models.DecimalField(max_digits=10, decimal_places=2, default=0)
