"""Sound, time, and the people at both ends."""
