"""What the benchmarks that run on each kind of store have in common."""
