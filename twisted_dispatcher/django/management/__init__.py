"""What can be done from the command line of a project."""
