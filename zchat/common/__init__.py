"""What broker and client must agree on, and nothing else."""
