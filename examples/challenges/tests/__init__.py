"""The tests of the site: ``python examples/challenges/manage.py test examples.challenges``."""
