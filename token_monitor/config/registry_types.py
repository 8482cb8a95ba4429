"""What the composition root tells the loader about sources and channels, which it must not import."""

from collections.abc import Callable, Mapping

from attrs import frozen


@frozen
class Registry:
    """The settings types, frozen attrs classes.

    sources: by provider. Each has a field `quantities: Mapping[str, Q]`; the fields of Q may also be written at the
        account, as defaults of every quantity.
    channels: by channel type. Looking up one that another package has raises ValueError: how that package is broken.
    channel_of_host: the channel type for the host of ALERT_WEBHOOK_URL. Raises ValueError: why there is none.
    """

    sources: Mapping[str, type]
    channels: Mapping[str, type]
    channel_of_host: Callable[[str], str]
