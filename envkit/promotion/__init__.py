"""Promotion: copy to one environment what another one has and it lacks.

`run` reads both environments and does the steps. `decide`, `lines` and `values` decide what
the steps are, without I/O. The plan (`model`) holds no secret and can be shown.
"""
