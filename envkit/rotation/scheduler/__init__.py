"""`envkit rotate serve`: run rotations when they are due, on one machine.

Code belongs here if it runs for a long time: the loop, its timers, the catalog that follows
changes of the profiles, and the HTTP endpoint with metrics. `envkit.rotation.fleet` is for several
machines.
"""
