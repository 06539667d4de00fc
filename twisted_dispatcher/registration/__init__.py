"""
Who is registered: what a registration may say, the handlers, and how they are found and explained.
"""
