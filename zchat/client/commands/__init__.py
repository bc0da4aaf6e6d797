"""The commands of a client, a module each."""
