-- Chains, each in one row. set_hash stands for the type and all resources together. due: when the
-- schedule looks at it; NULL when it will not. fence counts the locks. poked: whether a signal has
-- arrived since it was locked. entered: since when it is in its state. pairs, refusals: JSON, as
-- text, so that it is given back as it was. ended_at: since when it is at its end, or NULL. Half of
-- each page is left free, so that a changed row finds its place beside the old one; and no index
-- has what changes while a chain is executed, so that none is written then. That is why there is
-- none of states.
CREATE TABLE twisted_dispatcher_chain (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    chain_type TEXT NOT NULL,
    set_hash BYTEA NOT NULL UNIQUE,
    pairs TEXT NOT NULL,
    definition TEXT NOT NULL,
    state TEXT NOT NULL,
    version BIGINT NOT NULL DEFAULT 0,
    next_update DOUBLE PRECISION,
    due DOUBLE PRECISION,
    disabled BOOLEAN NOT NULL DEFAULT FALSE,
    ended BOOLEAN NOT NULL,
    locked_until DOUBLE PRECISION NOT NULL DEFAULT 0,
    fence BIGINT NOT NULL DEFAULT 0,
    poked BOOLEAN NOT NULL DEFAULT FALSE,
    failures INTEGER NOT NULL DEFAULT 0,
    parked BOOLEAN NOT NULL DEFAULT FALSE,
    error TEXT,
    refusals TEXT,
    tried DOUBLE PRECISION,
    created DOUBLE PRECISION NOT NULL,
    entered DOUBLE PRECISION NOT NULL,
    ended_at DOUBLE PRECISION
) WITH (fillfactor = 50);
CREATE INDEX twisted_dispatcher_chain_due ON twisted_dispatcher_chain (chain_type, due)
    WHERE due IS NOT NULL;
CREATE INDEX twisted_dispatcher_chain_definition
    ON twisted_dispatcher_chain (chain_type, definition);
CREATE INDEX twisted_dispatcher_chain_parked ON twisted_dispatcher_chain (chain_type, number)
    WHERE parked;
-- For retention.
CREATE INDEX twisted_dispatcher_chain_ended ON twisted_dispatcher_chain (chain_type, ended_at)
    WHERE ended_at IS NOT NULL;

-- Which chains have a resource; pair stands for the type of the chain and the resource together.
CREATE TABLE twisted_dispatcher_chain_pair (
    pair BYTEA NOT NULL,
    chain BIGINT NOT NULL,
    PRIMARY KEY (pair, chain)
);

-- The transitions that were made; version is that of the chain after it.
CREATE TABLE twisted_dispatcher_chain_history (
    chain BIGINT NOT NULL,
    version BIGINT NOT NULL,
    previous TEXT NOT NULL,
    state TEXT NOT NULL,
    transition_name TEXT NOT NULL,
    requested_by TEXT,
    at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (chain, version)
);

-- What has arrived and was not used up.
CREATE TABLE twisted_dispatcher_chain_signal (
    chain BIGINT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (chain, name)
);

-- Gives the first chains that have all of some resources, by reading the lists of the resources
-- side by side, each from where the others have got to (a leapfrog join: Veldhuizen, ICDT 2014).
CREATE FUNCTION twisted_dispatcher_chains_with(pairs BYTEA[], most BIGINT) RETURNS BIGINT[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    matches BIGINT[] := '{}';
    number BIGINT := 0;
    following BIGINT;
    agreed INTEGER := 0;
    place INTEGER := 1;
BEGIN
    WHILE cardinality(matches) < most LOOP
        SELECT p.chain INTO following FROM twisted_dispatcher_chain_pair p
            WHERE p.pair = pairs[place] AND p.chain >= number ORDER BY p.chain LIMIT 1;
        EXIT WHEN NOT FOUND;
        IF following = number THEN
            agreed := agreed + 1;
        ELSE
            agreed := 1;
        END IF;
        number := following;
        IF agreed = cardinality(pairs) THEN
            matches := matches || number;
            number := number + 1;
            agreed := 0;
        END IF;
        place := place % cardinality(pairs) + 1;
    END LOOP;
    RETURN matches;
END
$$;
