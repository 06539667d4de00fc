"""The tables of chains."""

from __future__ import annotations

from django.db import migrations, models

from twisted_dispatcher.django.tables import StoreTables


class Migration(migrations.Migration):
    """Runs the store's file of the same number."""

    dependencies = [("twisted_dispatcher", "0001_initial")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[StoreTables(sqlite=2, postgresql=2)],
            state_operations=[
                migrations.CreateModel(
                    name="Chain",
                    fields=[
                        ("number", models.BigAutoField(primary_key=True, serialize=False)),
                        ("id", models.TextField(unique=True)),
                        ("chain_type", models.TextField()),
                        ("set_hash", models.BinaryField()),
                        ("pairs", models.TextField()),
                        ("definition", models.TextField()),
                        ("state", models.TextField()),
                        ("version", models.BigIntegerField()),
                        ("next_update", models.FloatField(null=True)),
                        ("due", models.FloatField(null=True)),
                        ("disabled", models.BooleanField()),
                        ("ended", models.BooleanField()),
                        ("locked_until", models.FloatField()),
                        ("fence", models.BigIntegerField()),
                        ("poked", models.BooleanField()),
                        ("failures", models.IntegerField()),
                        ("parked", models.BooleanField()),
                        ("error", models.TextField(null=True)),
                        ("refusals", models.TextField(null=True)),
                        ("tried", models.FloatField(null=True)),
                        ("created", models.FloatField()),
                        ("entered", models.FloatField()),
                    ],
                    options={
                        "db_table": "twisted_dispatcher_chain",
                        "default_permissions": ("view",),
                    },
                ),
                migrations.CreateModel(
                    name="ChainPair",
                    fields=[
                        ("pair", models.BinaryField(primary_key=True, serialize=False)),
                        (
                            "chain",
                            models.ForeignKey(
                                db_column="chain",
                                db_constraint=False,
                                db_index=False,
                                on_delete=models.DO_NOTHING,
                                related_name="resource_pairs",
                                to="twisted_dispatcher.chain",
                            ),
                        ),
                    ],
                    options={
                        "db_table": "twisted_dispatcher_chain_pair",
                        "default_permissions": (),
                    },
                ),
                migrations.CreateModel(
                    name="ChainHistory",
                    fields=[
                        ("version", models.BigIntegerField(primary_key=True, serialize=False)),
                        ("previous", models.TextField()),
                        ("state", models.TextField()),
                        ("transition_name", models.TextField()),
                        ("requested_by", models.TextField(null=True)),
                        ("at", models.FloatField()),
                        (
                            "chain",
                            models.ForeignKey(
                                db_column="chain",
                                db_constraint=False,
                                db_index=False,
                                on_delete=models.DO_NOTHING,
                                related_name="history",
                                to="twisted_dispatcher.chain",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name_plural": "chain history",
                        "db_table": "twisted_dispatcher_chain_history",
                        "default_permissions": ("view",),
                    },
                ),
                migrations.CreateModel(
                    name="ChainSignal",
                    fields=[
                        ("name", models.TextField(primary_key=True, serialize=False)),
                        ("value", models.TextField()),
                        ("at", models.FloatField()),
                        (
                            "chain",
                            models.ForeignKey(
                                db_column="chain",
                                db_constraint=False,
                                db_index=False,
                                on_delete=models.DO_NOTHING,
                                related_name="signals",
                                to="twisted_dispatcher.chain",
                            ),
                        ),
                    ],
                    options={
                        "db_table": "twisted_dispatcher_chain_signal",
                        "default_permissions": (),
                    },
                ),
            ],
        )
    ]
