"""The formats of `envkit check`: a module each for text, JSON, SARIF and GitHub annotations."""
