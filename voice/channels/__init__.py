"""Where calls come in and answers go out."""
