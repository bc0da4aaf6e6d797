"""What the broker decides with: no clock, chance, socket, file or thread."""
