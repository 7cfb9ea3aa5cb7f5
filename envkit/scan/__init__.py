"""Find values and tokens of a project in files, staged changes and git history: `envkit scan`.

`values` decides what is searched for, `forms` and `search` find it in bytes, `content` does so in
streams, and `tree`, `staged` and `history` list what is scanned. Nothing here stores a value.
"""
