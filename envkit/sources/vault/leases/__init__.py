"""Dynamic secrets: read once for all their fields, renewed, and revoked at the end.

`lease` is what is known of one and is pure, `requests` asks the server, `holder` does what is
due, and `ledger` lists what a killed process has left.
"""
