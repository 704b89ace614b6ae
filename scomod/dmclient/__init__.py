"""The OMA DM protocol: messages, codecs, session, transport."""
