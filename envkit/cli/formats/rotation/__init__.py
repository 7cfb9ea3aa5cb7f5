"""The formats of `envkit rotate`: the outcomes of a run, the status, a simulation, the page."""
