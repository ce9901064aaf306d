"""What the last bulk decision could not decide: kept in the session, drawn above the list.

It is there after a reload too, and drawing it decides nothing. The next bulk decision
takes its place, or a person dismisses it.
"""

from dataclasses import asdict, dataclass

from django.http import HttpRequest

from applications.vocabulary import Outcome

KEY = "bulk_result"
# Marks the message that says the same as the drawn result, which stands in for it.
TAG = "bulk-result"
SAID = {Outcome.APPROVE: "approved", Outcome.DECLINE: "declined"}


@dataclass(frozen=True)
class Failed:
    """One row that was not decided, and the sentence that says why."""

    application: int
    reference: str
    why: str

    @property
    def sentence(self) -> str:
        """Most reasons name their application; one that does not is told apart."""
        return self.why if self.reference in self.why else f"{self.reference}: {self.why}"


@dataclass(frozen=True)
class Result:
    """``decided`` now, ``repeated`` as this person had decided them before, ``failed``."""

    outcome: Outcome
    reason: str
    decided: int
    repeated: int
    failed: tuple[Failed, ...]

    @property
    def said(self) -> str:
        return SAID[self.outcome]

    @property
    def total(self) -> int:
        return self.decided + self.repeated + len(self.failed)


def keep(request: HttpRequest, result: Result) -> None:
    """Remember what failed; a result without failures leaves nothing to remember."""
    if result.failed:
        request.session[KEY] = asdict(result)
    else:
        forget(request)


def forget(request: HttpRequest) -> None:
    request.session.pop(KEY, None)


def kept(request: HttpRequest) -> Result | None:
    """The result that is still to be looked at, if there is one."""
    found = request.session.get(KEY)
    if found is None:
        return None
    failed = tuple(Failed(**row) for row in found["failed"])
    return Result(**{**found, "outcome": Outcome(found["outcome"]), "failed": failed})
