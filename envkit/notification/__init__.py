"""Notices of what happened: the channels there are, delivery, and that each is sent once a day.

What a notice says, and when one is sent, is decided by the package that knows what happened.
"""
