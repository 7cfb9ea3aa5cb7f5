"""How rotations are shown: what was done, where they stand, what would be."""
