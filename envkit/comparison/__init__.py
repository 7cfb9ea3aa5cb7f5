"""How environments differ, and which secrets they share.

`sides` reads the environments, `compare` compares their values, and `compare_profiles`
compares profiles without asking a store. The result (`model`) is plain data without secrets.
Printing is done by `envkit.cli`.
"""
