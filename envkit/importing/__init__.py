"""Import values from files into an environment: `envkit import`, and `envkit env migrate`.

`readers` parses the files. `plan` decides what to write where, and is pure. `run` reads the
environment, writes by compare-and-set, and verifies the result by reading it back.
"""
