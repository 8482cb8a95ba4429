"""The rules, pure: no I/O, no clock, no logging. Standard library and attrs only."""
