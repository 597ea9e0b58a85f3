"""Recorded calls in, metrics and report out."""
