"""Profiles: the format of their files and the grammar of values. No store is read.

What belongs here finds and loads the files, checks the variables' declarations and types,
and parses and substitutes placeholders.
"""
