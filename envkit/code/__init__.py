"""Find the environment variables that a program's code reads, without running it.

`scan` walks the files; each language has a module.
"""
