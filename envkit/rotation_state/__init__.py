"""The state of a rotation: its policy, its schedule and its record.

What belongs here is what packages besides `envkit.rotation` need to know of a rotation. The
record and the pending values are stored beside the secret (`stores`). Policy, schedule and
record are pure.
"""
