-- Where sweeps stand. objects: how many were seen; position: where the last of them stands, as the
-- codec has written it. A sweep that has seen all of them has ended.
CREATE TABLE twisted_dispatcher_sweep (
    name TEXT NOT NULL PRIMARY KEY,
    objects INTEGER NOT NULL,
    position TEXT,
    began REAL NOT NULL,
    changed REAL NOT NULL,
    ended REAL
) WITHOUT ROWID;
