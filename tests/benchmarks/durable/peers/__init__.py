"""Other libraries that do not forget, each a program of its own with its own event loop."""
