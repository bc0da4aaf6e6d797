"""Where the log is kept: one contract, in memory and in SQLite."""
