"""Reserve execution names: one execution for each name, of whichever function.

A name is reserved, with the ARN and the payload of its execution, before the execution
is created. A crash between the two leaves a reservation without an execution, which
recovery starts under the ARN that the caller may already have received.
"""

import hashlib
import json
import time
from dataclasses import dataclass

from functions.local.database import Database
from functions.local.function import FunctionName


@dataclass(frozen=True)
class Reservation:
    """A name and the execution that owns it; ``payload`` is empty after the retention time."""

    function: FunctionName
    name: str
    arn: str
    payload: str
    fingerprint: str


def fingerprint(payload: str) -> str:
    """Hash a JSON text; equal for two texts with the same meaning."""
    canonical = json.dumps(json.loads(payload), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


class ExecutionNames:
    """The table of reservations."""

    _COLUMNS = "function, qualifier, name, arn, payload, fingerprint"

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(self, function: FunctionName, name: str, arn: str, payload: str) -> Reservation:
        """Reserve the name, or return the reservation that already has it.

        It is written with what ends the transaction; one at a time may reserve.
        """
        for reservation in self._select("WHERE name = ?", name):
            return reservation
        mark = fingerprint(payload)
        self._database.write_with_the_last(
            "INSERT INTO names (function, qualifier, name, arn, payload, fingerprint) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            [function.name, function.qualifier, name, arn, payload, mark],
        )
        return Reservation(function, name, arn, payload, mark)

    def unstarted(self) -> list[Reservation]:
        """Return the reservations that have no execution yet."""
        return self._select(
            "WHERE payload != '' "
            "AND arn NOT IN (SELECT arn FROM executions UNION SELECT arn FROM damaged)"
        )

    def set_aside(self, reservation: Reservation, reason: str) -> None:
        """Keep a reservation that cannot be started out of the way of the others."""
        self._database.write(
            "REPLACE INTO damaged (arn, function, name, data, reason, found_at) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            [
                reservation.arn,
                reservation.function.name,
                reservation.name,
                reservation.payload,
                reason,
                time.time(),
            ],
        )

    def forget(self, arn: str) -> None:
        """Free the name of a deleted execution."""
        self._database.write("DELETE FROM names WHERE arn = ?", [arn])

    def _select(self, where: str, *values: str) -> list[Reservation]:
        # ``where`` is one of the two literals above; the values are bound.
        rows = self._database.read(f"SELECT {self._COLUMNS} FROM names {where}", values)  # noqa: S608
        return [
            Reservation(
                function=FunctionName(str(function), str(qualifier)),
                name=str(name),
                arn=str(arn),
                payload=str(payload),
                fingerprint=str(mark),
            )
            for function, qualifier, name, arn, payload, mark in rows
        ]
