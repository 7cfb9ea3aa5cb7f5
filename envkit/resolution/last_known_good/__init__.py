"""Values of the last success, for the time when a store is unavailable: `fallback` in a profile.

They are on the disk of this machine, encrypted, and bound to what was read and by whom.
"""
