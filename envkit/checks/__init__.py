"""`envkit check` and `envkit doctor`: what can be known to be wrong before a deployment.

What belongs here reads profiles and stores once (`inspection`), and finds the problems of one
kind in one module each. `run` puts the report together; showing it is `envkit.cli`'s.
"""
