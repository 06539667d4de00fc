"""
The way in for Django: events that are written in the transaction in which they happen.

``INSTALLED_APPS`` has ``"twisted_dispatcher.django"``, the setting ``TWISTED_DISPATCHER`` says the
rest (`conf`). `twisted_dispatcher.django.api` has what projects call.
"""
