"""Small parts that several packages need: files, git, threads, deadlines, names.

What belongs here knows nothing of profiles and stores, and is not for users.
"""
