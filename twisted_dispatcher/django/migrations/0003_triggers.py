"""The tables of trigger sessions."""

from __future__ import annotations

from django.db import migrations, models

from twisted_dispatcher.django.tables import StoreTables


class Migration(migrations.Migration):
    """Runs the store's file of the same number."""

    dependencies = [("twisted_dispatcher", "0002_chains")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[StoreTables(sqlite=3, postgresql=3)],
            state_operations=[
                migrations.CreateModel(
                    name="Session",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("uid", models.TextField(unique=True)),
                        ("config", models.TextField()),
                        ("state", models.TextField()),
                        ("version", models.BigIntegerField()),
                        ("changed", models.FloatField()),
                    ],
                    options={
                        "db_table": "twisted_dispatcher_session",
                        "default_permissions": ("view",),
                    },
                ),
                migrations.CreateModel(
                    name="Instance",
                    fields=[
                        ("name", models.TextField(primary_key=True, serialize=False)),
                        ("task", models.TextField()),
                        ("number", models.IntegerField()),
                        ("status", models.TextField()),
                        ("live", models.IntegerField(null=True)),
                        ("body", models.TextField()),
                        (
                            "session",
                            models.ForeignKey(
                                db_column="session_id",
                                db_constraint=False,
                                db_index=False,
                                on_delete=models.DO_NOTHING,
                                related_name="instances",
                                to="twisted_dispatcher.session",
                            ),
                        ),
                    ],
                    options={
                        "db_table": "twisted_dispatcher_instance",
                        "default_permissions": ("view",),
                    },
                ),
            ],
        )
    ]
