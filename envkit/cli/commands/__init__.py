"""One module for each command that need not start in a blink; `exec`, `get` and `export` are
in `envkit.cli.hot`.

What belongs here reads a command's options, calls the library and returns an exit status.
"""
