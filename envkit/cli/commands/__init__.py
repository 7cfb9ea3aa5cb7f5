"""The commands, one module each; `exec`, `get` and `export` are in `envkit.cli.hot`.

A command reads its options, calls the library and returns an exit status. `app` imports a
command when it runs.
"""
