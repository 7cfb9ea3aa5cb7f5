"""The rotators that envkit brings, one module for each kind of credential.

A rotator's module is imported only when a rotation asks for it (`registry`), and its driver
only when that goes to work.
"""
