"""Backends that install software, and the root helper that runs them."""
