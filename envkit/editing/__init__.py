"""Changing values: find where a variable's value is stored, and write it by compare-and-set.

What belongs here leads from a name to the place that stores its value (`find`, `route`),
writes there (`slots`), reads what it held before (`history`), and edits the text of profiles
(`profile_text`) and of a person's editor (`edit_text`), both pure.
"""
