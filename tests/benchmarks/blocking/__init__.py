"""Calls from a synchronous program into the reactor's thread: what each of them costs."""
