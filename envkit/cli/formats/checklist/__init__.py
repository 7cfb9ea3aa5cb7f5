"""The formats of the deployment checklist: text, Markdown, HTML and JSON; `show` chooses one."""
