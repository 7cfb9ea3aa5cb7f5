"""Profiles: what the variables of one environment are, read from its files and checked.

What belongs here knows the profile format and the grammar of values, and asks no store:
finding and loading the files, the variables' declarations and types, placeholders and how
they are parsed and substituted.
"""
