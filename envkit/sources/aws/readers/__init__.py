"""Who can read a secret of AWS: evaluate IAM and resource policies, and find their principals.

What belongs here reads policies and identities. Nothing here reads a secret.
"""
