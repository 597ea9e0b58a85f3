"""The desk: the page on which human agents see calls, help, and take them over."""
