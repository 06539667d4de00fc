-- How many attempts of a delivery do not count: those that were given back, and those before a
-- replay. See `Claim`.
ALTER TABLE twisted_dispatcher_delivery ADD COLUMN excused INTEGER NOT NULL DEFAULT 0;
