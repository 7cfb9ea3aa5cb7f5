"""Values that stay correct while an app runs.

The core is a *live environment*: a resolved environment with, for each reference, its version
and the time of the next look. `decide` chooses what to do next and is pure; a thread
(`live`) or the supervisor of `envkit exec --watch` does it.
"""
