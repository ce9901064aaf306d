"""Limit the rate of a caller. Counted in the database, for all processes together.

The algorithm is GCRA in its form of virtual scheduling (ITU-T Recommendation I.371): one
moment is stored for each caller, at which its whole limit is available again. A call moves it
on by one step, and is refused where that would take it more than a whole period ahead; then it
uses nothing up. So it is a bucket of ``limit`` calls that fills steadily, and has no edge at
which twice as many pass, as windows with fixed ends have.

One statement asks, decides and counts, which is atomic on SQLite and on PostgreSQL alike. It
is a transaction of its own, before that of the request begins: no lock outlives it, it cannot
be in a deadlock, and whatever becomes of the request, the call was counted.

The clock is the database's, read once the row is locked, so that it is one for all servers and
is monotonic for calls that waited for one another.
"""

import logging
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.db import OperationalError, connection, transaction

from core import database
from core.locking import is_contention, locked_if_free
from partners.models import Partner, PartnerKey, RateCounter
from partners.throttling import Rate, Verdict, verdict

logger = logging.getLogger(__name__)

EPOCH = datetime.fromtimestamp(0, tz=UTC)
# A client with one IPv6 address mostly has the whole /64 network.
OWN_IPV6 = 64
# A moment more than a period ahead, after a rate was changed or a clock put back, is
# brought back: nobody waits longer than one period of the rate that holds now.
TAKE = """
INSERT INTO {table} AS held (name, full_at, allowed)
VALUES (%(name)s, {clock} + %(step)s, %(true)s)
ON CONFLICT (name) DO UPDATE SET (full_at, allowed) = (
    SELECT
        CASE
            WHEN held.full_at <= clock.at THEN clock.at + %(step)s
            WHEN held.full_at <= clock.at + %(most)s THEN held.full_at + %(step)s
            WHEN held.full_at > clock.at + %(period)s THEN clock.at + %(period)s
            ELSE held.full_at
        END,
        held.full_at <= clock.at + %(most)s
    FROM (SELECT {clock} AS at) AS clock
)
RETURNING full_at, allowed, {clock}
"""


def call_count(*, name: str, rate: Rate, now: datetime | None = None) -> Verdict | None:
    """Count one call of ``name``, unless it has none left; return the verdict.

    ``now`` replaces the database's clock. ``None``: it could not be counted, because another
    writer held the database for longer than one waits. An API that answers is worth more than
    a count that is right.
    """
    values: dict[str, str | int | bool] = {
        "name": name,
        "step": rate.step,
        "most": rate.period - rate.step,
        "period": rate.period,
        "true": True,
    }
    clock = database.clock() if now is None else str(microseconds(now))
    statement = TAKE.format(table=RateCounter._meta.db_table, clock=clock)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            full_at, allowed, at = cursor.fetchone()
    except OperationalError as error:
        if not is_contention(error):
            raise
        logger.warning("A call could not be counted", extra={"counter": name})
        return None
    return verdict(rate=rate, full_at=full_at, allowed=bool(allowed), now=at)


def peek(*, rate: Rate, full_at: int, now: datetime) -> Verdict:
    """Return the verdict for a counter at ``full_at``, without counting a call."""
    at = microseconds(now)
    allowed = full_at <= at + rate.period - rate.step
    return verdict(rate=rate, full_at=min(full_at, at + rate.period), allowed=allowed, now=at)


def rate_of(partner: Partner) -> Rate | None:
    """Return the rate of this partner; ``None`` for no limit."""
    return read(partner.rate_limit or settings.LOANOFFICE_PARTNER_RATE)


def bad_key_rate() -> Rate | None:
    """Return the rate of bad keys from one address."""
    return read(settings.LOANOFFICE_BAD_KEY_RATE)


read = lru_cache(maxsize=256)(Rate.read)


def partner_counter(partner: Partner) -> str:
    return f"partner/{partner.pk}"


def key_counter(key: PartnerKey) -> str:
    return f"key/{key.pk}"


def address_counter(address: str) -> str:
    """Return the counter's name for an address; for IPv6, of its /64 network."""
    if not address:
        return "address/unknown"
    found = ip_address(address)
    if isinstance(found, IPv6Address):
        return f"address/{ip_network((int(found), OWN_IPV6), strict=False)}"
    return f"address/{found}"


def microseconds(at: datetime) -> int:
    """Return the microseconds since 1970, exactly."""
    return (at - EPOCH) // timedelta(microseconds=1)


def rate_counters_forget(*, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` counters that are full again: no row means the same.

    Returns how many. For the sweep.
    """
    old = RateCounter.objects.filter(full_at__lte=microseconds(now))
    if not old.exists():
        return 0
    with transaction.atomic():
        found = list(locked_if_free(old).values_list("pk", flat=True)[:limit])
        RateCounter.objects.filter(pk__in=found).delete()
    return len(found)
