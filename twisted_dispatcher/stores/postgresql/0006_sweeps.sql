-- Where sweeps stand. objects: how many were seen; position: where the last of them stands, as the
-- codec has written it. A sweep that has seen all of them has ended.
CREATE TABLE twisted_dispatcher_sweep (
    name TEXT COLLATE "C" PRIMARY KEY,
    objects BIGINT NOT NULL,
    position TEXT,
    began DOUBLE PRECISION NOT NULL,
    changed DOUBLE PRECISION NOT NULL,
    ended DOUBLE PRECISION
);
