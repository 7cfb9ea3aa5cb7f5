"""`envkit check` and `envkit doctor`: find problems before a deployment.

`inspection` loads the profiles and reads the stores once. Each other module finds one kind of
problem in that; `problem` has their codes, and `run` collects them in a report. `ignore_file`
removes what a team has accepted. `doctor` is a separate command. Printing is done by
`envkit.cli`.
"""
