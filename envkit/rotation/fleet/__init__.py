"""A fleet of schedulers that share their jobs through a queue in PostgreSQL.

Only this package uses procrastinate, and it is imported only with `--queue`.
"""
