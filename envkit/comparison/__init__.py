"""How environments differ, and which secrets they share.

What belongs here reads the environments that are compared (`sides`), compares them (`compare`,
or `compare_profiles` without asking a store) and says what was found as plain data (`model`)
that holds no secret. Showing it is `envkit.cli`'s.
"""
