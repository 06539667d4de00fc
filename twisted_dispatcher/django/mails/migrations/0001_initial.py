"""The table of the templates."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Makes it."""

    initial = True
    dependencies: tuple[tuple[str, str], ...] = ()
    operations = [
        migrations.CreateModel(
            name="Mail",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("event_group", models.CharField(max_length=200, unique=True)),
                (
                    "template_source",
                    models.TextField(
                        "template",
                        help_text="The first line is the subject. What events have in their "
                        "context stands in {{ double braces }}.",
                    ),
                ),
            ],
            options={"ordering": ("event_group",)},
        ),
    ]
