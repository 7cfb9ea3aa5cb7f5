"""`envkit check` and `envkit doctor`: find problems before a deployment.

`inspection` loads the profiles and reads the stores once. Every other module finds one kind of
problem in the result. `problem` defines their codes, and `run` collects them in a report.
`ignore_file` removes the problems that a team has accepted. `doctor` is a separate command.
Printing is done by `envkit.cli`.
"""
