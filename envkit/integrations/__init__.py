"""Adapters that give database drivers and frameworks the current login of a live environment.

One module for each library, which it imports. Nothing here is imported by the rest of envkit.
"""
