"""Benchmarks of trigger sessions, on both stores."""
