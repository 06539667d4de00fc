"""The commands, each named as its module is."""
