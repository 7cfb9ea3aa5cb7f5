"""The readers: each turns the text of one kind of file into variables. Pure.

Guarantees: nothing is evaluated, executed or read from the process environment. A value is the
text as written. What a reader does not understand is an error with its place, and never a guess.
"""
