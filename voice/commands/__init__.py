"""The commands of `attune`, one module each; heavy imports stay inside the functions."""
