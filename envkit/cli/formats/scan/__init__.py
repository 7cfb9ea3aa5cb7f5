"""The formats of `envkit scan`: one module each for text, JSON and SARIF, and their words."""
