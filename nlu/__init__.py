"""What the caller means and how they feel."""
