"""What a source said at one moment."""

from datetime import datetime
from decimal import Decimal

from attrs import frozen


@frozen
class Reading:
    """One measured number of an account.

    value: what is left, in `unit`; None where the provider said "no credit" without a number (HTTP 402).
    limit: what a full account holds, if the provider reports it; percentages are of it.
    reset_at: when the provider fills it up again, if it says so.
    available: False where the provider says it will not serve, whatever the number.
    unlimited: nothing counts down.
    """

    quantity: str
    value: Decimal | None
    unit: str
    limit: Decimal | None = None
    reset_at: datetime | None = None
    available: bool = True
    unlimited: bool = False
