"""Profiles: the format of their files and the grammar of values. Reads no store.

Modules here find and load profile files, check the declarations and types of variables, and
parse and substitute placeholders.
"""
