"""token-monitor: the fuel gauge for AI services that run on prepaid tokens."""

__version__ = "0.1.0"
