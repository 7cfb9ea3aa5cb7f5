"""`envkit rotate serve`: run rotations when they are due, on one machine.

What belongs here runs for a long time: the loop, its timers, the catalog that follows changes
of the profiles, and the HTTP endpoint with metrics. Several machines: `envkit.rotation.fleet`.
"""
