"""Render results: one package for each command that has several formats.

Modules here turn data into text, JSON, Markdown, HTML or annotations. The wording of messages is
here; the library finds and decides.
"""
