"""Promotion: copy to one environment what another one has and it lacks.

`run` reads both environments and executes the steps. `decide`, `lines` and `values` decide what
the steps are, without I/O. The plan (`model`) contains no secret and can be shown.
"""
