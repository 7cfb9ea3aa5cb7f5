"""`envkit rotate` and the commands below it: rotate now, look, serve."""
