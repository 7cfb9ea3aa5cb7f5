"""Small modules that several packages use: files, git, threads, deadlines, names.

Nothing here knows about profiles or stores, and nothing here is public.
"""
