"""The site's own part of the admin; events and deliveries are in that of `twisted_dispatcher`."""

from __future__ import annotations

from django.contrib import admin

from examples.challenges.models import Challenge, Donation


class DonationInline(admin.TabularInline):
    """The donations below their challenge."""

    model = Donation
    extra = 0


@admin.register(Challenge)
class ChallengeAdmin(admin.ModelAdmin):
    """Challenges, the newest first."""

    list_display = ["title", "user", "start_date", "end_date", "goal", "donated", "is_active"]
    list_filter = ["is_active", "end_date"]
    search_fields = ["title", "user__username"]
    inlines = [DonationInline]


@admin.register(Donation)
class DonationAdmin(admin.ModelAdmin):
    """Donations, the newest first."""

    list_display = ["name", "amount", "challenge", "created"]
    list_select_related = ["challenge"]
    search_fields = ["name", "email", "challenge__title"]
