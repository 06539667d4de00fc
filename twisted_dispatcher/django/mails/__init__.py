"""
Mails about events, whose templates are in the database: an application of its own.

A project that has ``"twisted_dispatcher.django.mails"`` among its INSTALLED_APPS lets its staff
write the templates in the admin, one for each group of events.
"""
