"""The command line: parse options, call one library function, render.

What belongs here talks to people: it is the only package that prints, prompts and exits.
`hot` runs `exec`, `get` and `export` without typer; `app` has all other commands, a module
each in `commands`; `formats` makes texts of results.
"""
