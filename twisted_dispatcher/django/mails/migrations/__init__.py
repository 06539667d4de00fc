"""The migrations of the mails: the table of their templates."""
