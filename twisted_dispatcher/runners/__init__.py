"""Where a handler's code runs when it does not run in the reactor's thread."""
