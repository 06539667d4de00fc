"""Speed of sources: events until they are handled, those that are known, and sweeps."""
