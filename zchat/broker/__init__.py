"""The broker: a pure core that decides, a store that keeps, a server that does as it is told."""
