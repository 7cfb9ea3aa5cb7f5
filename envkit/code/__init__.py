"""Which environment variables a program reads, found in its code without running it."""
