"""Daemons that are there to be killed, and what must hold of what they leave."""
