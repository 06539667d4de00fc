"""What the pages of all of the store's tables have in common: they show, and change nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import attrs
from django.contrib import admin
from django.core.exceptions import BadRequest
from django.db import connections, transaction
from django.http import HttpRequest
from django.utils.text import capfirst

from twisted_dispatcher.django.admin.pages import NewestPages
from twisted_dispatcher.errors import CannotRead

NULL: Final = "\0"
# The form that the buttons on a page belong to; a page has one, with the token.
FORM: Final = "buttons"


@attrs.frozen
class Part:
    """What stands under a title on a page; the content is escaped, or markup of ours."""

    title: str
    content: str

    @property
    def is_block(self) -> bool:
        """Whether the content is a table or lines, and no sentence."""
        return self.content.startswith(("<table", "<pre"))


class StoredAdmin(admin.ModelAdmin):
    """
    Lists rows of the store, the newest first, and shows one.

    The store alone writes them: to add, change or delete a row by hand would leave others behind
    that speak of it.
    """

    list_per_page = 50
    list_max_show_all = 0
    paginator = NewestPages
    show_full_result_count = False
    sortable_by = ()

    change_form_template = "admin/twisted_dispatcher/stored_change_form.html"

    class Media:
        css = {"all": ["twisted_dispatcher/admin.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Refuse to look for what no row can have; PostgreSQL would not even be asked for it."""
        if any(NULL in value for values in request.GET.values() for value in values):
            raise BadRequest("no text that is stored has a null character")
        try:
            return super().changelist_view(request, extra_context)
        except OverflowError as error:
            raise BadRequest("no number that is stored is so great") from error

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """Give the row that is asked for, if there is one."""
        if NULL in object_id:
            return None
        try:
            return super().get_object(request, object_id, from_field)
        except OverflowError:
            # SQLite takes no number that is so great.
            return None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Iterable[str]:
        return tuple(self.fields or ())

    def parts(self, request: HttpRequest, row: Any) -> Iterable[Part]:
        """Give what a row's page has below its fields."""
        try:
            yield from self.standing_parts(request, row)
        except CannotRead as error:
            yield Part("How it stands", str(capfirst(str(error))))

    def standing_parts(self, request: HttpRequest, row: Any) -> Iterable[Part]:
        """Give what is told by the store's own questions; they may not be there to ask."""
        return ()

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, obj: Any = None, **kwargs: Any
    ) -> Any:
        """Add the parts; by now it is known that the user may see them."""
        context = {**context, "parts": list(self.parts(request, obj)), "form_of_buttons": FORM}
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def get_urls(self) -> list[Any]:
        """Keep the pages out of the transactions of requests."""
        return outside_transactions(super().get_urls())


def outside_transactions(urls: Iterable[Any]) -> list[Any]:
    """
    Keep pages out of a transaction for each request (``ATOMIC_REQUESTS``).

    What they ask of the dispatcher is done on another connection, which would wait for it.
    """
    found = list(urls)
    for each in found:
        # Whichever database events live in: a wrong setting is to be told by the system checks,
        # and not by what comes before them.
        for alias in connections:
            each.callback = transaction.non_atomic_requests(alias)(each.callback)
    return found


# Facets would count whole tables.
if hasattr(admin, "ShowFacets"):
    StoredAdmin.show_facets = admin.ShowFacets.NEVER
