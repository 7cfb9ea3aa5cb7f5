"""How a comparison is shown: each module makes a text of a `Report`, and prints nothing."""
