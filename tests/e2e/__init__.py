"""The commands with real processes, real sockets and a real broker."""
