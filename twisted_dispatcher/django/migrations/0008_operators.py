"""What the admin needs beside the store's tables: generators, permissions, the dead."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Makes tables of the project's own kind, which `open_store` does not know."""

    dependencies = [("twisted_dispatcher", "0007_outbox")]
    operations = [
        migrations.AlterModelOptions(
            name="Delivery",
            options={
                "default_permissions": ("view",),
                "permissions": [
                    ("replay_delivery", "Can have a delivery run again"),
                    ("skip_delivery", "Can give up a delivery"),
                ],
                "verbose_name_plural": "deliveries",
            },
        ),
        migrations.CreateModel(
            name="DeadLetter",
            fields=[],
            options={"proxy": True, "default_permissions": ()},
            bases=("twisted_dispatcher.delivery",),
        ),
        migrations.CreateModel(
            name="Generator",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("group", models.CharField(max_length=200)),
                ("source", models.CharField(max_length=200)),
                ("is_active", models.BooleanField("active", default=True)),
            ],
            options={"ordering": ("group", "id")},
        ),
        migrations.CreateModel(
            name="Condition",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("variable", models.CharField(max_length=200)),
                (
                    "operator",
                    models.CharField(
                        choices=[(each, each) for each in (">", "<", ">=", "<=", "=", "!=")],
                        max_length=2,
                    ),
                ),
                ("value", models.IntegerField()),
                (
                    "generator",
                    models.ForeignKey(
                        on_delete=models.CASCADE,
                        related_name="conditions",
                        to="twisted_dispatcher.generator",
                    ),
                ),
            ],
            options={"ordering": ("id",)},
        ),
    ]
