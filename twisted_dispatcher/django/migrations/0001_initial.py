"""What is durable: the tables of events and their deliveries."""

from __future__ import annotations

from django.db import migrations, models

from twisted_dispatcher.django.tables import StoreTables


class Migration(migrations.Migration):
    """Runs the store's file of the same number."""

    initial = True
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[StoreTables(sqlite=1, postgresql=1)],
            state_operations=[
                migrations.CreateModel(
                    name="Worker",
                    fields=[
                        ("id", models.TextField(primary_key=True, serialize=False)),
                        ("alive_until", models.FloatField()),
                    ],
                    options={
                        "db_table": "twisted_dispatcher_worker",
                        "default_permissions": ("view",),
                    },
                ),
                migrations.CreateModel(
                    name="Event",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("key", models.TextField(unique=True)),
                        ("body", models.TextField(null=True)),
                        ("details", models.TextField()),
                        ("lane", models.TextField(null=True)),
                        ("accepted", models.FloatField()),
                        ("due", models.FloatField()),
                        ("first_delivery", models.BigIntegerField(null=True)),
                        ("last_delivery", models.BigIntegerField(null=True)),
                    ],
                    options={
                        "db_table": "twisted_dispatcher_event",
                        "default_permissions": ("view",),
                    },
                ),
                migrations.CreateModel(
                    name="Delivery",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("handler", models.TextField()),
                        ("phase", models.TextField()),
                        ("rank", models.IntegerField()),
                        ("status", models.TextField()),
                        ("attempts", models.IntegerField()),
                        ("due", models.FloatField(null=True)),
                        ("error", models.TextField(null=True)),
                        ("stops", models.BooleanField(null=True)),
                        (
                            "event",
                            models.ForeignKey(
                                db_column="event_id",
                                db_constraint=False,
                                db_index=False,
                                on_delete=models.DO_NOTHING,
                                related_name="deliveries",
                                to="twisted_dispatcher.event",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name_plural": "deliveries",
                        "db_table": "twisted_dispatcher_delivery",
                        "default_permissions": ("view",),
                    },
                ),
                migrations.CreateModel(
                    name="OpenEvent",
                    fields=[
                        ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                        ("lane", models.TextField(null=True)),
                        ("due", models.FloatField()),
                        ("first_delivery", models.BigIntegerField(null=True)),
                        ("last_delivery", models.BigIntegerField(null=True)),
                    ],
                    options={
                        "db_table": "twisted_dispatcher_open",
                        "default_permissions": (),
                        "required_db_vendor": "postgresql",
                    },
                ),
                migrations.CreateModel(
                    name="UnplannedEvent",
                    fields=[
                        ("event_id", models.BigIntegerField(primary_key=True, serialize=False)),
                        ("due", models.FloatField()),
                    ],
                    options={
                        "db_table": "twisted_dispatcher_unplanned",
                        "default_permissions": (),
                        "required_db_vendor": "sqlite",
                    },
                ),
                migrations.CreateModel(
                    name="LaneEvent",
                    fields=[
                        ("event_id", models.BigIntegerField(primary_key=True, serialize=False)),
                        ("lane", models.TextField()),
                    ],
                    options={
                        "db_table": "twisted_dispatcher_lane",
                        "default_permissions": (),
                        "required_db_vendor": "sqlite",
                    },
                ),
            ],
        )
    ]
