"""How PostgreSQL stores an event on Django's connection."""

from __future__ import annotations

from django.db import migrations

from twisted_dispatcher.django.tables import StoreTables


class Migration(migrations.Migration):
    """Runs the file that PostgreSQL alone has."""

    dependencies = [("twisted_dispatcher", "0006_sweeps")]
    operations = [StoreTables(postgresql=7)]
