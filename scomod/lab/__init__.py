"""The bench: a DM server, a package server and a push sender."""
