-- Chains, each in one row. set_hash stands for the type and all resources together. due: when the
-- schedule looks at it; NULL when it will not. fence counts the locks. poked: whether a signal has
-- arrived since it was locked. entered: since when it is in its state. pairs, refusals: JSON.
CREATE TABLE twisted_dispatcher_chain (
    number INTEGER NOT NULL PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    chain_type TEXT NOT NULL,
    set_hash BLOB NOT NULL UNIQUE,
    pairs TEXT NOT NULL,
    definition TEXT NOT NULL,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    next_update REAL,
    due REAL,
    disabled INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    locked_until REAL NOT NULL,
    fence INTEGER NOT NULL,
    poked INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    parked INTEGER NOT NULL,
    error TEXT,
    refusals TEXT,
    tried REAL,
    created REAL NOT NULL,
    entered REAL NOT NULL
);
CREATE INDEX twisted_dispatcher_chain_due ON twisted_dispatcher_chain (chain_type, due)
    WHERE due IS NOT NULL;
CREATE INDEX twisted_dispatcher_chain_state ON twisted_dispatcher_chain (chain_type, state);
CREATE INDEX twisted_dispatcher_chain_definition
    ON twisted_dispatcher_chain (chain_type, definition);
CREATE INDEX twisted_dispatcher_chain_parked ON twisted_dispatcher_chain (chain_type)
    WHERE parked = 1;
-- For retention.
CREATE INDEX twisted_dispatcher_chain_ended ON twisted_dispatcher_chain (chain_type, entered)
    WHERE ended = 1;

-- Which chains have a resource; pair stands for the type of the chain and the resource together.
CREATE TABLE twisted_dispatcher_chain_pair (
    pair BLOB NOT NULL,
    chain INTEGER NOT NULL,
    PRIMARY KEY (pair, chain)
) WITHOUT ROWID;

-- The transitions that were made; version is that of the chain after it.
CREATE TABLE twisted_dispatcher_chain_history (
    chain INTEGER NOT NULL,
    version INTEGER NOT NULL,
    previous TEXT NOT NULL,
    state TEXT NOT NULL,
    transition_name TEXT NOT NULL,
    requested_by TEXT,
    at REAL NOT NULL,
    PRIMARY KEY (chain, version)
) WITHOUT ROWID;

-- What has arrived and was not used up.
CREATE TABLE twisted_dispatcher_chain_signal (
    chain INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (chain, name)
) WITHOUT ROWID;
