"""The state of a rotation: its policy, its schedule and its record.

Code belongs here if packages other than `envkit.rotation` need it to know about a rotation. The
record and the pending values are stored beside the secret (`stores`). The policy, schedule and
record modules are pure.
"""
