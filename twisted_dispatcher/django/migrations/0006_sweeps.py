"""The table of sweeps."""

from __future__ import annotations

from django.db import migrations, models

from twisted_dispatcher.django.tables import StoreTables


class Migration(migrations.Migration):
    """Runs the store's file of the same number."""

    dependencies = [("twisted_dispatcher", "0005_marks")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[StoreTables(sqlite=6, postgresql=6)],
            state_operations=[
                migrations.CreateModel(
                    name="Sweep",
                    fields=[
                        ("name", models.TextField(primary_key=True, serialize=False)),
                        ("seen", models.BigIntegerField(db_column="objects")),
                        ("position", models.TextField(null=True)),
                        ("began", models.FloatField()),
                        ("changed", models.FloatField()),
                        ("ended", models.FloatField(null=True)),
                    ],
                    options={
                        "db_table": "twisted_dispatcher_sweep",
                        "default_permissions": ("view",),
                    },
                )
            ],
        )
    ]
