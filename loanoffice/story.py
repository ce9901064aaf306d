"""Put together the story of one application: what its packages tell, masked, in order of time.

It is for support, and goes into tickets: see ``applications.story.masking_of``.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from accounts.story import Person, people_of
from applications.models import LoanApplication
from applications.story import application_lines, file_names, masking_of
from audit.masking import mask_name
from audit.story import Line, in_order
from reviews.story import review_lines
from webhooks.story import webhook_lines
from workflows.story import workflow_story


@dataclass(frozen=True)
class Story:
    """A story, masked. ``unread`` are sentences about histories that could not be read."""

    reference: str
    applicant: str
    partner: str
    status: str
    step: str
    attempt: int
    amount: str
    created_at: datetime
    people: list[Person]
    requests: list[str]
    traces: list[str]
    unread: list[str]
    lines: list[Line]


def story_of(application: LoanApplication) -> Story:
    """Return the story; the number of queries does not depend on how much there is to tell."""
    workflow = workflow_story(application)
    lines = in_order(
        [
            *application_lines(application),
            *review_lines(application),
            *workflow.lines,
            *webhook_lines(application),
        ]
    )
    masked = masking_of(application, files=file_names(application))
    return Story(
        reference=application.reference,
        applicant=mask_name(application.applicant_name),
        partner=application.partner.name if application.partner else "",
        status=application.get_status_display(),
        step=application.get_current_step_display(),
        attempt=application.attempt,
        amount=f"{application.loan_amount:,.2f} {application.currency}",
        created_at=application.created_at,
        people=people_of({line.who for line in lines if line.who}),
        requests=_values(lines, "request"),
        traces=_values(lines, "trace"),
        unread=[masked(sentence) for sentence in workflow.unread],
        lines=[_masked(line, masked) for line in lines],
    )


def _values(lines: list[Line], name: str) -> list[str]:
    """Return the values of a fact, each once, in order."""
    found = (value for line in lines for fact, value in line.facts if fact == name)
    return list(dict.fromkeys(found))


def _masked(line: Line, mask: Callable[[str], str]) -> Line:
    facts = tuple((name, mask(value)) for name, value in line.facts)
    return replace(line, what=mask(line.what), facts=facts)
