"""Reading: the partitions that are ours, where they are read, and what people are told of it."""
