"""The client: a pure core, one asyncio shell around it, and the commands on top."""
