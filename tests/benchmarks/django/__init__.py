"""Speed of what Django's users have: saving, events until they are handled, and sweeps."""
