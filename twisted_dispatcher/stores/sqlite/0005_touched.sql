-- What is not resolved, by task: a trigger needs the waiting instances of the tasks that it touches.
CREATE INDEX twisted_dispatcher_instance_touched
    ON twisted_dispatcher_instance (session_id, live, task) WHERE live IS NOT NULL;

DROP INDEX twisted_dispatcher_instance_live;
