"""Handing an environment over: become the app (`exec`), or write it for others (`export`).

What belongs here is the last step, in which values leave envkit.
"""
