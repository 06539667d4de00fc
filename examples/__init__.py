"""Programs to learn from. Each is run by the tests."""
