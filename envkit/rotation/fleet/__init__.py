"""A fleet of schedulers that share their jobs through a PostgreSQL queue.

What belongs here knows procrastinate. Without `--queue`, nothing of it is imported.
"""
