"""What is known of a rotation before one runs: its policy, its schedule and its record.

What belongs here is needed by more than `envkit.rotation` itself: by `editing` and `checks`,
which must know what is rotated. The record and the pending values live beside the secret,
in its store (`stores`). Policy, schedule and record are pure.
"""
