"""The business's own systems: a `Connector` reads facts from one and carries out effects."""
