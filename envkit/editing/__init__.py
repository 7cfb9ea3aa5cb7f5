"""Change values: find where a variable's value is stored, and write it by compare-and-set.

`find` and `route` lead from a variable to its slot, in a store or in a profile; `slots` reads
it, and `write` writes the values of one secret at once. `rotated` judges a change of a value
that is rotated, and `history` reads earlier versions. `profile_text` edits the text of a
profile, and `edit_text` is the text for `envkit edit`; both are pure.
"""
