"""Speed of durable dispatch: ours, what the database allows at best, and others, in one run."""
