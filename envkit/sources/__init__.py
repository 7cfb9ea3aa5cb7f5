"""Adapters for stores: one module or package per source type.

`protocols` defines the methods of a source, `model` its results, and `registry` opens sources. A
plug-in imports `base`.
"""
