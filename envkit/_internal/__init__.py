"""Small modules that several packages use: files, git, threads, deadlines, names.

These modules do not know about profiles or stores. They are not public.
"""
