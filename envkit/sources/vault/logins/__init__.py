"""Everything about logins to Vault that starting an app with a token does not need.

The choice among several methods, `envkit login` in the browser and by password, MFA, where the
token is stored, and why a login was refused.
"""
