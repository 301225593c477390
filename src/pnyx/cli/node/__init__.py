"""pnyx node: who the members are, and how an operator changes them."""
