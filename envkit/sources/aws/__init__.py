"""AWS Secrets Manager as a source: client, errors, documents, reads, writes.

What belongs here speaks to AWS through botocore. `source` implements the protocols; the
other modules are its parts, and the rotator of IAM keys uses `client` and `errors`.
"""
