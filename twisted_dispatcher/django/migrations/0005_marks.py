"""What the instances of trigger sessions wait for."""

from __future__ import annotations

from django.db import migrations, models

from twisted_dispatcher.django.tables import StoreTables


class Migration(migrations.Migration):
    """Runs the store's file of the same number."""

    dependencies = [("twisted_dispatcher", "0004_excused")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[StoreTables(sqlite=5, postgresql=5)],
            state_operations=[
                migrations.AddField("Instance", "mark", models.TextField(default="")),
            ],
        )
    ]
