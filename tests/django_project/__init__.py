"""
A Django project that is there to be tested, and its tests.

Django's settings are for a whole process, and its tests wait for a reactor in another thread: so
they run in processes of their own (`tests.test_django`), by Django's own runner. Their modules are
those in `checks` whose names begin with ``check_``; trial passes these by. To run some of them::

    python -m tests.django_project test tests.django_project.checks.check_tables
"""
