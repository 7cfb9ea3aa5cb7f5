"""The built-in rotators, one module for each kind of credential.

`registry` imports a rotator when a rotation needs it. A rotator imports its driver when it starts
to work.
"""
