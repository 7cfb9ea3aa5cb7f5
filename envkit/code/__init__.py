"""Find the environment variables that a program's code reads, without running it.

`scan` walks the files; there is one module per language.
"""
