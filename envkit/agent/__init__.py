"""The agent: a process of the user that keeps resolved environments in memory for a few minutes.

`client` asks it, on the hot path of `exec` and `get`; `server` answers. Whatever it answers is
what the stores would answer: each value depends on files and variables that the agent knows, and
is dropped as soon as one of them changes. On any doubt the client reads the stores itself.
"""
