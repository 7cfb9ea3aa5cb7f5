"""`envkit backup` and its subcommands: make a backup, verify it, drill the restore."""
