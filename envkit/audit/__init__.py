"""The audit log: who used or changed which secrets, when and why. Never a value.

What belongs here records how one command uses secrets (`session`), writes the record to a
file (`file_log`) or to the system log (`syslog`), and verifies the chain of records (`verify`).
`log` chooses the destination and formats a record.
"""
