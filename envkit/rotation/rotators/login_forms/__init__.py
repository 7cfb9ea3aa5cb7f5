"""The forms in which a secret stores a login, one module for each family of them.

Each reads a text and says where in it the user and the password are, how a new one is spelled
there, and which servers it names. None of them changes anything: `parts.replaced` does. Pure.
"""
