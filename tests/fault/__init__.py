"""Real faults: brokers and clients that are killed, stopped, cut off, and short of disk."""
