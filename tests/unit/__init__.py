"""Unit tests, a folder for each package."""
