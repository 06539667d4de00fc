"""How many attempts of a delivery do not count."""

from __future__ import annotations

from django.db import migrations, models

from twisted_dispatcher.django.tables import StoreTables


class Migration(migrations.Migration):
    """Runs the store's file of the same number."""

    dependencies = [("twisted_dispatcher", "0003_triggers")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[StoreTables(sqlite=4, postgresql=4)],
            state_operations=[
                migrations.AddField("Delivery", "excused", models.IntegerField(default=0)),
            ],
        )
    ]
