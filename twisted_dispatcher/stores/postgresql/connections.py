"""Connections to the server: their settings, their pool, and the one that is lent to handlers."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg_pool import ConnectionPool

from twisted_dispatcher.errors import BadStoreURL, TransactionMisused
from twisted_dispatcher.stores.postgresql.complaints import complain

# Unless the URL says otherwise. A server that is gone without a word is noticed after 15 seconds.
_DEFAULTS: Final = {
    "application_name": "twisted_dispatcher",
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "5",
    "keepalives_count": "2",
    "tcp_user_timeout": "15000",
}
# Every statement of ours goes by an index, also on tables that are still small: a plan that was
# made for a small table would be used for a while when it has grown. A promise to keep is worth
# the wait for the disk, whatever the server's default is. Compiling a plan takes longer than our
# statements do.
_SETTINGS: Final = """
    SELECT set_config('enable_seqscan', 'off', false), set_config('enable_hashjoin', 'off', false),
        set_config('enable_mergejoin', 'off', false), set_config('lock_timeout', '10s', false),
        set_config('jit', 'off', false),
        set_config('client_encoding', 'utf8', false),
        set_config('synchronous_commit', CASE current_setting('synchronous_commit')
            WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)"""
# There plans are made but once, and who has to wait for others leaves the connection to the next:
# a thread waits. Numbers are written so that they are what they were.
_ON_THE_REACTOR: Final = """
    SELECT set_config('plan_cache_mode', 'force_generic_plan', false),
        set_config('lock_timeout', '500ms', false),
        set_config('extra_float_digits', '1', false)"""
# The planner is the handler's own while the connection is lent.
_PLANNER: Final = "; ".join(
    f"SET LOCAL enable_{each} = {{0}}" for each in ("seqscan", "hashjoin", "mergejoin")
)
_LEND: Final = _PLANNER.format("on")
_TAKE_BACK: Final = _PLANNER.format("off")

# A connection that was used so many seconds ago is believed to live; what finds it dead is done
# again on another one.
FRESH: Final = 1.0
# The pool tries to connect once, and again when it is asked again: so it is asked this often.
RECONNECT: Final = 0.0
WAIT: Final = 0.5

# What is not SQL of the outermost level: text, names, comments, bodies of functions.
_QUOTED: Final = re.compile(
    r"'(?:[^']|'')*'|\"[^\"]*\"|\$(\w*)\$.*?\$\1\$|--[^\n]*|/\*.*?\*/", re.DOTALL
)
_ENDING: Final = re.compile(
    r"(?:^|;)\s*(?:BEGIN|START|COMMIT|END|ABORT|PREPARE\s+TRANSACTION"
    r"|ROLLBACK(?!\s+(?:(?:WORK|TRANSACTION)\s+)?TO\b))\b",
    re.IGNORECASE,
)
OVER: Final = "this transaction is over: use it before the handler returns, and keep it nowhere"
_MISUSE: Final = (
    "a handler's transaction commits with the settling of its delivery, so the handler must "
    "neither begin, commit nor roll back on its connection: leave that out, and raise an "
    "exception to undo what it has written"
)


# Without a handler of its own the pool would write to the standard error while a server is away.
logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())


# A connection, and the number of a transaction in it.
Mark = tuple[str, int]


class StoreConnection(psycopg.Connection[Any]):
    """
    A connection of the store's.

    :ivar used: when it was last used with success, by the monotonic clock.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.cursor_factory = LentCursor
        self.used = time.monotonic()
        self.is_lent = False
        self._id = uuid4().hex
        self._transactions = 0

    def prepare(self, statements: Mapping[bytes, str]) -> None:
        """
        Prepare statements, with the server's own placeholders, for a life on the reactor.

        :param statements: by their names.
        :raises psycopg.Error: when that cannot be.
        """
        psycopg.Cursor(self).execute(_ON_THE_REACTOR)
        for name, statement in statements.items():
            result = self.pgconn.prepare(name, statement.encode())
            if result.status != psycopg.pq.ExecStatus.COMMAND_OK:
                raise psycopg.errors.error_from_result(result)

    def next_mark(self) -> Mark:
        """Give the mark of its next transaction; no other one of any connection has it."""
        self._transactions += 1
        return self._id, self._transactions

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Lend it to a handler, which must not end the transaction."""
        cursor = psycopg.Cursor(self)
        cursor.execute(_LEND)
        self.is_lent = True
        try:
            yield
        finally:
            self.is_lent = False
        if self.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS:
            cursor.execute(_TAKE_BACK)

    def commit(self) -> None:
        """Commit, unless the connection is lent."""
        self.refuse_if_lent()
        super().commit()

    def rollback(self) -> None:
        """Roll back, unless the connection is lent."""
        self.refuse_if_lent()
        super().rollback()

    def close(self) -> None:
        """Close it, unless it is lent."""
        self.refuse_if_lent()
        super().close()

    def refuse_if_lent(self) -> None:
        """Keep a handler from what is the store's business."""
        if self.is_lent:
            raise TransactionMisused(_MISUSE)


class LentCursor(psycopg.Cursor[Any]):
    """A handler's cursor: it works while the connection is lent, and ends no transaction."""

    def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
        """Execute a statement, while the connection is lent."""
        connection = self.connection
        if isinstance(connection, StoreConnection):
            if not connection.is_lent:
                raise TransactionMisused(OVER)
            if ends_transaction(_text_of(query, connection)):
                connection.refuse_if_lent()
        return super().execute(query, *arguments, **options)


def _text_of(query: Any, connection: StoreConnection) -> str:
    if isinstance(query, bytes):
        return query.decode("utf-8", "replace")
    if isinstance(query, sql.Composable):
        return query.as_string(connection)
    return str(query)


def ends_transaction(text: str) -> bool:
    """Tell whether SQL has a statement that begins or ends a transaction."""
    return _ENDING.search(_QUOTED.sub(" ", text)) is not None


def conninfo_of(url: str) -> str:
    """
    Give what the driver connects by.

    :raises BadStoreURL: when the URL cannot be understood. The message does not have it, since it
        may have a password.
    """
    try:
        given = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise BadStoreURL("the store's URL cannot be understood by PostgreSQL's library") from None
    return psycopg.conninfo.make_conninfo("", **{**_DEFAULTS, **given})


def name_of(conninfo: str) -> str:
    """Give what a store is called in messages."""
    given = psycopg.conninfo.conninfo_to_dict(conninfo)
    place = given.get("host") or given.get("hostaddr") or "the local server"
    return f"the store {given.get('dbname') or 'of the user'} at {place}"


def without_password(url: str) -> str:
    """Give a URL as it may be shown."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    user, at, place = authority.rpartition("@")
    path = re.sub(r"(?<=[?&])password=[^&]*&?", "", path)
    return f"{scheme}://{user.partition(':')[0]}{at}{place}{slash}{path}"


def connect(conninfo: str, store: str) -> StoreConnection:
    """
    Open one connection, in autocommit mode.

    :raises StoreUnavailable: when that cannot be.
    """
    try:
        connection = StoreConnection.connect(conninfo, autocommit=True)
        configure(connection)
    except psycopg.Error as error:
        complain(error, store)
    return connection


def configure(connection: psycopg.Connection[Any]) -> None:
    """Set what a session of the store's needs."""
    psycopg.Cursor(connection).execute(_SETTINGS)


def make_pool(conninfo: str, size: int) -> ConnectionPool[StoreConnection]:
    """Make a pool of connections; it opens the first one when somebody asks for it."""
    return ConnectionPool(
        conninfo,
        connection_class=StoreConnection,
        kwargs={"autocommit": True},
        min_size=0,
        max_size=size,
        configure=configure,
        check=_check,
        reconnect_timeout=RECONNECT,
        max_idle=600,
        open=True,
        name="twisted_dispatcher",
    )


def _check(connection: StoreConnection) -> None:
    if time.monotonic() - connection.used > FRESH:
        psycopg.Cursor(connection).execute("")
