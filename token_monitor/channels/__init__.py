"""Where alerts go: one module per channel, each with its settings type and its class."""
