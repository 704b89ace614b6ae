"""Fetching payloads; knows nothing of OMA."""
