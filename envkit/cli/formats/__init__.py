"""How results are shown: a package for each command that has several formats.

What belongs here turns data into text, JSON, Markdown, HTML or annotations. The words of a
message are here; the library finds and decides.
"""
