"""Measures what zchat costs: rates, latencies, and the broker's CPU time for each message."""
