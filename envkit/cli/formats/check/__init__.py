"""What `envkit check` found, in each of its formats."""
