"""The last step of a value: replace this process with the app (`exec`), or export it (`export`)."""
