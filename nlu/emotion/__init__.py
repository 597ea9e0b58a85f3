"""How the caller feels: from the voice, from the words, and from both."""
