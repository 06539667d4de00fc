"""What ``manage.py`` learns from the application."""
