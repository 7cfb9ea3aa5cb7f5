"""`envkit rotate` and its subcommands: `now` (no subcommand), `status`, `simulate`, `serve`.

`group` puts them together; `selection` has the options that they share.
"""
