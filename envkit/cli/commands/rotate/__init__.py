"""`envkit rotate` and its subcommands: `now` (no subcommand), `status`, `simulate`, `serve`.

`group` combines them; `selection` has their shared options.
"""
