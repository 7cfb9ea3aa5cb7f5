"""What `envkit check` looks at: each module finds the problems of one kind."""
