-- What waits is found by its task and its mark, which says what it waits for: a trigger needs those
-- of the tasks that it touches that it can change. Instances from before this have no mark.
ALTER TABLE twisted_dispatcher_instance ADD COLUMN mark TEXT NOT NULL DEFAULT '';

CREATE INDEX twisted_dispatcher_instance_mark
    ON twisted_dispatcher_instance (session_id, live, task, mark) WHERE live IS NOT NULL;

DROP INDEX twisted_dispatcher_instance_live;
