"""How results are shown: a package for each command that has several formats.

What belongs here turns data into text, JSON, Markdown, HTML or annotations. The words of a
message are here; what is found and decided is in the library.
"""
