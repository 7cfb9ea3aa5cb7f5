"""From a profile to an environment: prepare, fetch, evaluate.

`plan` finds the references that a profile needs; `prepare` loads, plans and opens the
sources; `fetch` asks each source once; `evaluate` computes the variables. `resolve` does all
of it. Planning and evaluating are pure.
"""
