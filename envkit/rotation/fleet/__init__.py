"""A fleet of schedulers that share their jobs through a queue in PostgreSQL.

Only this package knows procrastinate; it is imported only with `--queue`.
"""
