"""Whose turn is it: start, end, interruption, backchannel."""
