"""AWS Secrets Manager as a source, through botocore.

`source` implements the protocols; the other modules are its parts. The rotator of IAM keys
also uses `client` and `errors`.
"""
