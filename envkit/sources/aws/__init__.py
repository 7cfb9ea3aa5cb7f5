"""AWS Secrets Manager as a source, through botocore.

`source` implements the protocols with the other modules. The rotator for IAM keys also uses
`client` and `errors`.
"""
