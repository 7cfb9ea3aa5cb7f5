"""Back up the secrets behind profiles, and restore them.

A backup is one file in the age format. The text inside is JSON, so that `age -d` and a text editor
are enough to read it. `collect` reads the stores, `verify` compares a backup with them, `drill`
resolves the profiles of a backup from nothing but the backup, and `restore` writes what the stores
lack. Nothing here asks, prints or exits.
"""
