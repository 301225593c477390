"""pnyx group and pnyx shards: which groups there are, what each has, and changes of that."""
