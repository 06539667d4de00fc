"""
Dispatch that is durable: events that are stored before they are dispatched.
"""
