"""The migrations of the application: the store's numbered files, and what is the admin's own."""
