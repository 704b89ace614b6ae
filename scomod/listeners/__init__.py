"""Sources of notifications: sockets, modems."""
