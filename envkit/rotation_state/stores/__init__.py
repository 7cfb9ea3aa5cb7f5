"""Where the record and the pending values of a rotation are: one module for each kind of store.

`registry` chooses; the module of a store is imported when a rotation is of a secret in it.
"""
