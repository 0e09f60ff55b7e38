"""Where every number of a network comes from: forward, backward, and in the update."""
