"""What to do about what the caller means and feels."""
