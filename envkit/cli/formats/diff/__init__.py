"""The formats of `envkit diff`: a module each for table, JSON, Markdown, HTML and annotations.

Each renders a `Report`. The sentences that they share are in `wording`: a message of
`envkit diff` is changed there.
"""
