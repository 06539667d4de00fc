"""The tests that Django runs."""
