-- Trigger sessions. config: the tasks; state: all else that a session knows. version counts its
-- changes, writer names who made the last one.
CREATE TABLE twisted_dispatcher_session (
    id INTEGER NOT NULL PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    config TEXT NOT NULL,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    writer TEXT NOT NULL,
    changed REAL NOT NULL
);

-- The instances of the tasks of sessions. live: 1 of those that wait for triggers, 2 of those that
-- are scheduled or running, 3 of others that are not resolved, NULL of those that are.
CREATE TABLE twisted_dispatcher_instance (
    id INTEGER NOT NULL PRIMARY KEY,
    session_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    task TEXT NOT NULL,
    number INTEGER NOT NULL,
    status TEXT NOT NULL,
    live INTEGER,
    body TEXT NOT NULL
);
CREATE UNIQUE INDEX twisted_dispatcher_instance_name
    ON twisted_dispatcher_instance (session_id, name);

-- What is not resolved: small, however much is.
CREATE INDEX twisted_dispatcher_instance_live ON twisted_dispatcher_instance (session_id, live)
    WHERE live IS NOT NULL;
