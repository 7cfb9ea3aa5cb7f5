"""What an app answers: 200, or 500 with `refused` or the type of the error.

    app = wsgi(lambda: pool.query())         # the application that gunicorn serves

A pool that cannot log in hides the reason, so a request that waited for it in vain counts as
refused.
"""

from __future__ import annotations

SAID = ("authentication failed", "not permitted to log in")
REFUSED = ("PoolTimeout", "AuthenticationError", "InvalidPasswordError")


def wsgi(ask):
    """Return an application that answers each request with a query."""

    def app(_environ, start_response):
        try:
            ask()
        except Exception as error:  # noqa: BLE001 - it is what is counted
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [kind(error).encode()]
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    return app


def asgi(ask, start):
    """Return an application that answers each request with an awaited query.

    Args:
        ask: the query.
        start: a coroutine function to call first.
    """

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            await start()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        status, body = 200, "ok"
        try:
            await ask()
        except Exception as error:  # noqa: BLE001 - it is what is counted
            status, body = 500, kind(error)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body.encode()})

    return app


def kind(error):
    """Return `refused`, or the type of an error; its text may have a part of the login."""
    found = error
    while found is not None:
        if type(found).__name__ in REFUSED or any(text in str(found) for text in SAID):
            return "refused"
        found = found.__cause__
    return type(error).__name__
