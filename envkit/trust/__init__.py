"""What a repository may do with its user's credentials, files and programs: what the user allows.

A profile says what it needs, and the user decides where credentials go and what runs. What
belongs here reads that from the text of a profile (`sources`, `rotations`), knows what is allowed
(`decision`, from the environment, the user's configuration and the `store`), and refuses the
rest (`guard`). Nothing here sends, resolves, runs, or reads a file outside the project.
"""
