"""Pages of lists that may be long: no list is counted to its end, and none is leafed through."""

from __future__ import annotations

from typing import Any, Final

from django.core.paginator import Paginator
from django.utils.functional import cached_property

# So many rows are listed; what is older is found by filters and by searching.
MOST: Final = 10_000


class NewestPages(Paginator):
    """
    Has the first `MOST` rows of a list, which are its newest.

    To count a table of millions takes seconds on either database, and so does to leave out the
    first million of it.
    """

    most = MOST

    @cached_property
    def count(self) -> int:
        return int(self._rows.values("pk")[: self.most].count())

    @property
    def is_cut(self) -> bool:
        """Whether there may be more rows than are listed."""
        return bool(self.count >= self.most)

    @property
    def _rows(self) -> Any:
        return self.object_list.order_by()
