"""The rotator `postgres`: its two strategies and their requests to a server.

`strategies` is the entry point. `alternate` and `single` are the two strategies, `preflight`
checks their preconditions, and `change` is what they do in one transaction.
"""
