"""pnyx node, pnyx group: who the members are, and how an operator changes them."""
