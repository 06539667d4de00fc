"""Events that wait to be planned, on SQLite: an index instead of a table."""

from __future__ import annotations

from django.db import migrations

from twisted_dispatcher.django.tables import StoreTables


class Migration(migrations.Migration):
    """Runs the file that SQLite alone has."""

    dependencies = [("twisted_dispatcher", "0008_operators")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[StoreTables(sqlite=7)],
            state_operations=[migrations.DeleteModel("UnplannedEvent")],
        )
    ]
