"""The differences between environments, and the secrets that they share.

`sides` reads the environments, `compare` compares their values, and `compare_profiles` compares
profiles without contacting a store. The result (`model`) is plain data without secrets. Printing
is done by `envkit.cli`.
"""
