"""Telephone, kiosk and desk over the network."""
