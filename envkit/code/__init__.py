"""Find the environment variables that a program reads in its code, without running it.

`scan` walks the files; each language has a module.
"""
