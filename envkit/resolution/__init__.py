"""Turn a profile into an environment: prepare, fetch, evaluate.

`plan` finds the references that a profile needs. `prepare` loads and plans profiles and opens
their sources. `fetch` asks each source once. `evaluate` computes the variables. `resolve` does
all of this. Planning and evaluating are pure.
"""
