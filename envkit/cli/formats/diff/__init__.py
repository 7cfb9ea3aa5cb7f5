"""The formats of `envkit diff`: one module each for table, JSON, Markdown, HTML and annotations.

Each renders a `Report`. The sentences that they share are in `wording`. Change a message of
`envkit diff` there.
"""
