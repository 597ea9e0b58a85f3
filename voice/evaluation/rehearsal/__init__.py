"""Rehearsals: simulated callers against the real loop, with what is expected of every turn."""
