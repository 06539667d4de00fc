"""
Which store a URL names.

SQLite's URLs are read as most Python programs read them: what follows three slashes is a path, so
that a fourth slash makes it absolute.
"""

from __future__ import annotations

from typing import Any, Final

from twisted_dispatcher.errors import BadStoreURL

SQLITE: Final = "sqlite"
POSTGRESQL: Final = "postgresql"

_SCHEMES: Final = {"sqlite": SQLITE, "postgresql": POSTGRESQL, "postgres": POSTGRESQL}


def scheme_of(url: Any) -> str:
    """
    Tell which kind of store a URL names.

    :raises BadStoreURL: when it names none. The message never has the URL, which may hold a
        password.
    """
    if not isinstance(url, str):
        raise BadStoreURL(f"a store's URL is a string, not {type(url).__name__}")
    scheme, separator, _ = url.partition("://")
    if not separator:
        raise BadStoreURL("the store's URL has no '://'")
    if scheme not in _SCHEMES:
        raise BadStoreURL(f"there is no store for {scheme!r}")
    return _SCHEMES[scheme]


def without_password(url: Any) -> str:
    """Show a URL that is a SQLite one, and of any other only which kind of store it is."""
    if isinstance(url, str) and not url.startswith(SQLITE):
        return repr(f"{url.partition('://')[0]}://...")
    return repr(url)


def sqlite_path(url: str) -> str | None:
    """
    Give the path of the file that a SQLite URL names, or None for a store in memory.

    :raises BadStoreURL: when it names no file.
    """
    rest = url.partition("://")[2]
    if not rest:
        return None
    if not rest.startswith("/"):
        raise BadStoreURL(f"{url!r} has two slashes before the path, and needs three")
    path = rest[1:]
    if not path or path.endswith("/"):
        raise BadStoreURL(f"{url!r} names no file")
    if path == ":memory:":
        raise BadStoreURL(f"{url!r} is not how a store in memory is named")
    if "?" in path or "#" in path:
        raise BadStoreURL(f"{url!r} has options, and SQLite's URL takes none")
    if "\0" in path:
        raise BadStoreURL(f"{url!r} has a null character in its path")
    return path
