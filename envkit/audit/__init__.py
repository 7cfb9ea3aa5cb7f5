"""The audit log: who used or changed which secrets, when and why. Never a value.

What belongs here records one command's use of secrets (`session`), writes the record to a
file or to the system's log, and reads it back to verify the chain.
"""
