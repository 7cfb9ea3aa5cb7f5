"""redis-py with `envkit.live`; a new connection for each request."""

import redis
from answer import wsgi

import envkit
from envkit.integrations.redis import options

client = redis.Redis(**options(envkit.live("prod"), "REDIS_URL"))


def ask():
    client.connection_pool.disconnect(inuse_connections=False)
    client.ping()


app = wsgi(ask)
