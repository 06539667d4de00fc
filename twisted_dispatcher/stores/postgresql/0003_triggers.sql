-- Trigger sessions. config: the tasks; state: all else that a session knows. version counts its
-- changes; 0 is a session that somebody is about to make. Half of each page is left free, so that
-- a changed row finds its place beside the old one.
CREATE TABLE twisted_dispatcher_session (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid TEXT COLLATE "C" NOT NULL UNIQUE,
    config TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL DEFAULT '',
    version BIGINT NOT NULL DEFAULT 0,
    changed DOUBLE PRECISION NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- The instances of the tasks of sessions. live: 1 of those that wait for triggers, 2 of those that
-- are scheduled or running, 3 of others that are not resolved, NULL of those that are.
CREATE TABLE twisted_dispatcher_instance (
    session_id BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    task TEXT COLLATE "C" NOT NULL,
    number INTEGER NOT NULL,
    status TEXT NOT NULL,
    live INTEGER,
    body TEXT NOT NULL,
    PRIMARY KEY (session_id, name)
);

-- What is not resolved: small, however much is.
CREATE INDEX twisted_dispatcher_instance_live ON twisted_dispatcher_instance (session_id, live)
    WHERE live IS NOT NULL;
