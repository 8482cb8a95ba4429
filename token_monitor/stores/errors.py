"""What a user must mend before the daemon can use its data folder."""


class StoreError(Exception):
    """The store cannot be used, and going on from memory would be wrong. The text is one line for people."""


class StoreLockedError(StoreError):
    """Another daemon uses the data folder."""
