-- What is durable. Times are seconds since the epoch (UTC): to_timestamp(due) shows them as others
-- do. Applications may keep their own tables in the same schema: everything of ours begins with
-- twisted_dispatcher_.

-- 'schema': the number of the last migration that was run.
CREATE TABLE twisted_dispatcher_meta (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- Who runs deliveries: until when it is believed to be alive, and the names of its handlers.
CREATE TABLE twisted_dispatcher_worker (
    id TEXT NOT NULL PRIMARY KEY,
    alive_until DOUBLE PRECISION NOT NULL,
    handlers TEXT[] NOT NULL
) WITH (fillfactor = 50);

-- Every event that was accepted. Its row is written once, so that a large body is not written
-- again; what changes stands in the tables below. The deliveries of an event are made together and
-- have neighbouring ids, first_delivery to last_delivery; both are NULL until it is planned.
-- The body is NULL after the time for which payloads are kept.
CREATE TABLE twisted_dispatcher_event (
    id BIGINT NOT NULL PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    body TEXT,
    details TEXT NOT NULL,
    lane TEXT,
    accepted DOUBLE PRECISION NOT NULL,
    due DOUBLE PRECISION NOT NULL,
    first_delivery BIGINT,
    last_delivery BIGINT
);

-- For retention: the bodies that are still there, the oldest first.
CREATE INDEX twisted_dispatcher_event_body ON twisted_dispatcher_event (id)
    WHERE body IS NOT NULL;

-- The events that are not settled: a small table, however many are.
CREATE TABLE twisted_dispatcher_open (
    id BIGINT NOT NULL PRIMARY KEY,
    lane TEXT,
    due DOUBLE PRECISION NOT NULL,
    first_delivery BIGINT,
    last_delivery BIGINT
);

-- Who is first in a lane.
CREATE INDEX twisted_dispatcher_open_lane ON twisted_dispatcher_open (lane, id)
    WHERE lane IS NOT NULL;

-- What is to be planned, the first due first.
CREATE INDEX twisted_dispatcher_open_unplanned ON twisted_dispatcher_open (due, id)
    WHERE first_delivery IS NULL;

-- One event for one handler. A pending or retrying delivery is open when it is due at some time;
-- due is NULL while an earlier rank or an earlier event of its lane is open, while it runs, and
-- when it is settled. stops: of a dead one, that it ended its event; of a skipped one, that it was
-- skipped for that. changed: when its status changed. failed: the status, if somebody may have to
-- look at it; an index of the status itself would have to be written at every change of it.
-- Half of each page is left free, so that a changed row finds its place beside the old one.
CREATE TABLE twisted_dispatcher_delivery (
    id BIGINT NOT NULL PRIMARY KEY,
    event_id BIGINT NOT NULL,
    handler TEXT NOT NULL,
    phase TEXT NOT NULL,
    rank INTEGER NOT NULL,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due DOUBLE PRECISION,
    worker TEXT,
    error TEXT,
    stops BOOLEAN NOT NULL DEFAULT FALSE,
    changed DOUBLE PRECISION NOT NULL,
    failed TEXT GENERATED ALWAYS AS (
        CASE WHEN status IN ('dead', 'skipped') THEN status END) STORED
) WITH (fillfactor = 50);

-- What can be claimed: as small as what waits, and apart for each handler, so that what waits for
-- a handler that nobody has is in nobody's way.
CREATE INDEX twisted_dispatcher_delivery_due ON twisted_dispatcher_delivery (handler, due, id)
    WHERE due IS NOT NULL;

CREATE INDEX twisted_dispatcher_delivery_failed ON twisted_dispatcher_delivery (failed, id)
    WHERE failed IS NOT NULL;

-- The last transaction of each connection that has written. When a connection is lost while it
-- commits, this tells whether that happened. The server could tell as well, by the number that it
-- has given the transaction; but after a crash it may give the same number to another one.
CREATE TABLE twisted_dispatcher_commit (
    connection TEXT NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL,
    began TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 10);

CREATE SEQUENCE twisted_dispatcher_event_id;
CREATE SEQUENCE twisted_dispatcher_delivery_id;

-- Gives the first of so many neighbouring numbers. The lock is held for no longer than that, and
-- not until the transaction ends.
CREATE FUNCTION twisted_dispatcher_reserve(sequence REGCLASS, wanted BIGINT) RETURNS BIGINT
LANGUAGE plpgsql AS $$
DECLARE
    first BIGINT;
BEGIN
    PERFORM pg_advisory_lock(sequence::OID::BIGINT);
    first := nextval(sequence);
    IF wanted > 1 THEN
        PERFORM setval(sequence, first + wanted - 1);
    END IF;
    PERFORM pg_advisory_unlock(sequence::OID::BIGINT);
    RETURN first;
END
$$;
