"""The models: the same order three times over, and the table of the peer's events."""

from __future__ import annotations

from django.db import models


class AnyOrder(models.Model):
    """What all orders have."""

    customer = models.CharField(max_length=100)
    amount = models.IntegerField(default=0)

    class Meta:
        abstract = True


class PlainOrder(AnyOrder):
    """An order whose saving is nobody's business."""


class QuietOrder(AnyOrder):
    """An order whose source never gives an event."""


class Order(AnyOrder):
    """An order whose source gives one event."""


class SparkOrder(AnyOrder):
    """An order that the peer has a source for."""


class SparkEvent(models.Model):
    """An event of the peer: known by its key, and never handled again."""

    key = models.CharField(max_length=100, primary_key=True)
    group = models.CharField(max_length=50, db_index=True)
    context = models.TextField(blank=True)
    created = models.DateTimeField(auto_now_add=True)
