"""What the source of `.env` files does beside reading values: write, versions, history, errors.

A command that only reads values imports none of it.
"""
