"""Benchmarks of chains: their steps, finding them, and finding what is due."""
