"""asyncpg with `envkit.live`."""

import asyncpg
from answer import asgi

import envkit
from envkit.integrations.asyncpg import connect

live = envkit.live("prod")
live.snapshot()  # before the loop starts
pools = []


async def start():
    kind = connect(live, "DATABASE_URL")
    pools.append(await asyncpg.create_pool(connect=kind, min_size=1, max_size=4, max_queries=3))


async def ask():
    await pools[0].fetchval("SELECT pg_sleep(0.06)")


app = asgi(ask, start)
