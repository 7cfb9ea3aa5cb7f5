"""Change values: find where a variable's value is stored, and write it by compare-and-set.

`find` and `route` lead from a variable to its slot, in a store or in a profile. `slots` reads the
slot, and `write` writes the values of one secret together. `rotated` decides whether the value of
a rotated secret may change, and `history` reads earlier versions. `profile_text` edits the text of
a profile, and `edit_text` handles the text for `envkit edit`; both are pure.
"""
