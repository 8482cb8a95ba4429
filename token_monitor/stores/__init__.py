"""Where state lives: implementations of the storing ports of `core`."""
