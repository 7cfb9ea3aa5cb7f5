"""Recognise what a text looks like: a secret, a vendor's token, a URL with a password. Pure.

What belongs here judges one value or one name, and knows nothing of profiles.
"""
