-- Stores one event on a connection that is not the store's own, in the transaction that is open
-- there, and leaves it to a worker to plan it: the workers are told when the transaction commits.
-- A function, since most connections of others would have to plan the statements anew each time.
-- Gives the event's id; and of a key that is known the details of the event that has it, so that
-- known is NULL where the event is new. given_id: NULL for a new one.
CREATE FUNCTION twisted_dispatcher_record(
    given_id BIGINT, new_key TEXT, new_body TEXT, new_details TEXT, new_lane TEXT,
    new_due DOUBLE PRECISION, now DOUBLE PRECISION, OUT event_id BIGINT, OUT known TEXT)
LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        SELECT e.id, e.details INTO event_id, known
            FROM twisted_dispatcher_event e WHERE e.key = new_key;
        EXIT WHEN FOUND;
        event_id := given_id;
        IF event_id IS NULL THEN
            event_id := twisted_dispatcher_reserve('twisted_dispatcher_event_id', 1);
        END IF;
        INSERT INTO twisted_dispatcher_event (id, key, body, details, lane, accepted, due)
            VALUES (event_id, new_key, new_body, new_details, new_lane, now, new_due)
            ON CONFLICT (key) DO NOTHING;
        IF FOUND THEN
            INSERT INTO twisted_dispatcher_open (id, lane, due)
                VALUES (event_id, new_lane, new_due);
            -- A name is cut as that of the channel on which the stores listen. What they hear
            -- begins with who tells it.
            PERFORM pg_notify(('twisted_dispatcher_' || current_schema())::NAME::TEXT, 'outbox work');
            known := NULL;
            EXIT;
        END IF;
        -- Others have stored it this moment: it is found now, unless they forget it as fast.
    END LOOP;
END
$$;

-- So that whoever restores rows, or empties the tables, finds the sequences that belong to them.
ALTER SEQUENCE twisted_dispatcher_event_id OWNED BY twisted_dispatcher_event.id;
ALTER SEQUENCE twisted_dispatcher_delivery_id OWNED BY twisted_dispatcher_delivery.id;
