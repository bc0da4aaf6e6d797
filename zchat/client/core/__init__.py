"""What the client decides with: no clock, chance, socket, file or thread."""
