"""The rotator `postgres`: its two strategies, and what they ask of a server.

`strategies` is where it begins; `alternate` and `single` are the two ways, `preflight` proves
what they begin with, `change` is what they do in one transaction.
"""
