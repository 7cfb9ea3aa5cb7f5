"""The configuration of gunicorn: a worker opens its own pool."""


def post_fork(server, worker):
    from pooled import pool

    pool.open()
