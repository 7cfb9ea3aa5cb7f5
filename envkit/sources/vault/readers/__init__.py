"""Who can read a secret of Vault: parse policies, apply them to a path, find their holders.

What belongs here reads policies, identities and roles. Nothing here reads a secret.
"""
