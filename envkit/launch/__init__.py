"""The last step: replace this process with the app (`exec`), or print an export (`export`)."""
