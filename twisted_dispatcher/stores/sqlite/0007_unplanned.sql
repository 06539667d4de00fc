-- The events that are to be planned. They were in a table of their own, twisted_dispatcher_unplanned,
-- which every one of them was written to as well, and deleted from.
CREATE INDEX twisted_dispatcher_event_unplanned ON twisted_dispatcher_event (due)
    WHERE first_delivery IS NULL;
DROP TABLE twisted_dispatcher_unplanned;
