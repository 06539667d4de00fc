-- What is durable. Times are seconds since the epoch (UTC). Applications may keep their own tables
-- in the same file: everything of ours begins with twisted_dispatcher_.

-- 'schema': the number of the last migration that was run.
CREATE TABLE twisted_dispatcher_meta (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Who runs deliveries: until when it is believed to be alive, and the names of its handlers (JSON;
-- NULL while it has not said to be alive).
CREATE TABLE twisted_dispatcher_worker (
    id INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    alive_until REAL NOT NULL,
    handlers TEXT
);

-- Every event that was accepted. Its row is written once, so that a large body is not written
-- again: whether an event is settled, its deliveries tell. These are made together and have
-- neighbouring ids, first_delivery to last_delivery; both are NULL until the event is planned.
-- The body is NULL after the time for which payloads are kept.
CREATE TABLE twisted_dispatcher_event (
    id INTEGER NOT NULL PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    body TEXT,
    details TEXT NOT NULL,
    lane TEXT,
    accepted REAL NOT NULL,
    due REAL NOT NULL,
    first_delivery INTEGER,
    last_delivery INTEGER
);

-- For retention: the bodies that are still there, the oldest first.
CREATE INDEX twisted_dispatcher_event_body ON twisted_dispatcher_event (id)
    WHERE body IS NOT NULL;

-- One event for one handler. A pending or retrying delivery is open when it is due at some time;
-- due is NULL while an earlier rank or an earlier event of its lane is open, while it runs, and
-- when it is settled. worker: who runs it, or ran it last. stops: of a dead one, whether it ended
-- its event; of a skipped one, whether it was skipped for that; NULL of all others. settled: since
-- when it is done, dead or skipped.
CREATE TABLE twisted_dispatcher_delivery (
    id INTEGER NOT NULL PRIMARY KEY,
    event_id INTEGER NOT NULL,
    handler TEXT NOT NULL,
    phase TEXT NOT NULL,
    rank INTEGER NOT NULL,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due REAL,
    worker INTEGER,
    error TEXT,
    stops INTEGER,
    settled REAL
);

-- What is not settled: small, however much is. It also finds what a dead worker was running.
CREATE INDEX twisted_dispatcher_delivery_unsettled ON twisted_dispatcher_delivery (event_id)
    WHERE settled IS NULL;

-- What can be claimed, apart for each handler, so that what waits for a handler that nobody has is
-- in nobody's way.
CREATE INDEX twisted_dispatcher_delivery_due ON twisted_dispatcher_delivery (handler, due)
    WHERE due IS NOT NULL;

-- What is dead or skipped, and may have to be looked at.
CREATE INDEX twisted_dispatcher_delivery_failed ON twisted_dispatcher_delivery (status)
    WHERE stops IS NOT NULL;

-- The events that wait to be planned, the first due first.
CREATE TABLE twisted_dispatcher_unplanned (
    event_id INTEGER NOT NULL PRIMARY KEY,
    due REAL NOT NULL
);
CREATE INDEX twisted_dispatcher_unplanned_due ON twisted_dispatcher_unplanned (due);

-- The events that are in a lane and not settled. The first of a lane is open.
CREATE TABLE twisted_dispatcher_lane (
    event_id INTEGER NOT NULL PRIMARY KEY,
    lane TEXT NOT NULL
);
CREATE INDEX twisted_dispatcher_lane_order ON twisted_dispatcher_lane (lane, event_id);
