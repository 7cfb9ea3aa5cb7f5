"""The command line: parse options, call one library function, print the result.

Only this package prints, prompts and exits. `hot` runs `exec`, `get` and `export` without
typer, because they must start fast; `app` runs all other commands, which are in `commands`.
`formats` turns results into text, JSON, Markdown and HTML. `boundary` turns errors into
messages and exit statuses.
"""
