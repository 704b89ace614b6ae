"""scomod: OMA DM 1.2 client with SCOMO, for embedded Linux."""

__version__ = "0.1.0"
