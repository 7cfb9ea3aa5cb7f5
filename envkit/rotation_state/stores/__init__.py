"""The stores of rotation records and pending values, one module for each kind of store.

`registry` chooses one, and imports it only then.
"""
