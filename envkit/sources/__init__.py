"""The adapters for stores: one module or package for each type of source.

`protocols` defines what a source does, `model` what it returns, and `registry` opens one. A
plug-in imports `base`.
"""
