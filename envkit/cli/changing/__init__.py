"""What the commands share that plan changes, ask, and make them."""
