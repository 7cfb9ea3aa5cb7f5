"""Recognise texts that look like a secret, a vendor's token, or a URL with a password. Pure.

The modules judge one value or one name, and know nothing about profiles.
"""
