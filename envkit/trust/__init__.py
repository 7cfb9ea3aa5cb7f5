"""What a repository may do with its user's credentials, files and programs.

A profile declares what it needs; the user decides where credentials are sent and which programs
run. This package reads the needs from the text of a profile (`sources`, `rotations`) and the
permissions from the environment, the user's configuration and the `store` (`decision`). `guard`
refuses the rest. Nothing here sends, resolves, runs, or reads a file outside the project.
"""
