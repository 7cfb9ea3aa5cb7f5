"""The deployment checklist of an environment: what an auditor asks for, item by item.

`run` gathers the facts, from the stores and from this host. `items` turns them into items; it
does no I/O. The other modules of `checks` find problems of profiles and values instead.
"""
