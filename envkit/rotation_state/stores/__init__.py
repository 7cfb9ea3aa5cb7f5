"""The stores of rotation records and pending values, one module for each kind of store.

`registry` chooses the store and imports its module only then.
"""
