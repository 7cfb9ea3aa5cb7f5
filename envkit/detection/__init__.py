"""What a text looks like: a secret, a vendor's token, a URL with a password in it. Pure.

What belongs here judges one value or one name at a time, and knows nothing of profiles.
"""
