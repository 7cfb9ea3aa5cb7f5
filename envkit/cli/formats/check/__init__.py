"""The formats of `envkit check`: one module each for text, JSON, SARIF and GitHub annotations."""
