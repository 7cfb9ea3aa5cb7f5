"""`envkit rotate serve`: rotations run when they are due, with metrics, on one machine.

What belongs here runs for a long time: timers, the loop, a catalog that follows the
profiles, and the HTTP endpoint with metrics. Many machines are `envkit.rotation.fleet`.
"""
