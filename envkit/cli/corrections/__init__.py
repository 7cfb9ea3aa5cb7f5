"""What a refused command line was probably meant to be."""
