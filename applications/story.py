"""The application in its story: people, timeline, documents and payout; and what is personal."""

import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

from applications.models import ApplicationEvent, Disbursement, Document, LoanApplication
from applications.pii import mask_figure, without_contact
from audit.masking import HIDDEN, mask_mailboxes, mask_name, mask_words
from audit.models import Action, AuditEntry
from audit.services import entry_record
from audit.story import Kind, Line, entry_lines, facts_of

SHORTEST_NAME = 3  # letters; a shorter word is too likely to be another one


def application_of(reference: str) -> LoanApplication:
    """Return an application with its partner. Raises ``LoanApplication.DoesNotExist``."""
    return LoanApplication.objects.select_related("partner").get(reference=reference)


def application_lines(application: LoanApplication) -> Iterator[Line]:
    """Yield the lines of the audit log, the timeline, the documents and the payout."""
    entries = list(AuditEntry.objects.filter(reference=application.reference).order_by("pk"))
    yield from entry_lines(entries)
    yield from _events(application, entries)
    yield from _documents(application, entries)
    yield from _payout(application)


def _events(application: LoanApplication, entries: Iterable[AuditEntry]) -> Iterator[Line]:
    """Yield the timeline without what is in the audit log as well, as an act of somebody."""
    told = {(each.details.get("event"), each.message, each.request_id) for each in entries}
    events = ApplicationEvent.objects.filter(application=application).order_by("pk")
    for event in events.select_related("actor", "partner"):
        if (event.kind, event.message, event.request_id) in told:
            continue
        who = event.actor.get_username() if event.actor else str(event.partner or "")
        facts = [("step", event.get_step_display()), *facts_of(event.data)]
        if event.request_id:
            facts.append(("request", event.request_id))
        yield Line(
            at=event.at,
            kind=Kind.PERSON if who else Kind.APPLICATION,
            what=event.message,
            who=who,
            attempt=_attempt_of(event),
            facts=tuple((name, value) for name, value in dict(facts).items() if value),
        )


def _attempt_of(event: ApplicationEvent) -> int | None:
    """Return the attempt whose operation wrote the entry: its key is ``LOAN-...-2/operation``."""
    execution, _, operation = (event.key or "").partition("/")
    number = execution.rpartition("-")[2]
    return int(number) if operation and number.isdecimal() else None


def _documents(application: LoanApplication, entries: Iterable[AuditEntry]) -> Iterator[Line]:
    """Yield the documents without those whose addition is in the audit log: the letters."""
    told = {each.details.get("document") for each in entries}
    for document in Document.objects.filter(application=application).order_by("pk"):
        if document.public_id in told:
            continue
        yield Line(
            at=document.created_at,
            kind=Kind.DOCUMENT,
            what=f"Document stored: {document.get_kind_display().lower()}",
            facts=(
                ("document", document.public_id),
                ("sha256", document.sha256),
                ("size", str(document.size)),
            ),
        )


def _payout(application: LoanApplication) -> Iterator[Line]:
    for ledger in Disbursement.objects.filter(application=application):
        amount = f"{ledger.amount:,.2f} {ledger.currency}"
        yield Line(
            at=ledger.requested_at,
            kind=Kind.PAYOUT,
            what=f"Payout requested: {amount}",
            facts=(
                ("key", ledger.idempotency_key),
                ("orders", str(ledger.orders)),
                ("status now", ledger.get_status_display().lower()),
            ),
        )
        if ledger.funded_at is not None:
            yield Line(
                at=ledger.funded_at,
                kind=Kind.PAYOUT,
                what=f"Payout {ledger.get_status_display().lower()}: {amount}",
                facts=(("rail reference", ledger.rail_reference),),
            )


def story_noted(*, application: LoanApplication, who: str, form: str) -> None:
    """Record that somebody on the host read the story, in the audit log."""
    entry_record(
        action=Action.VIEWED,
        message=f"Read the story of the application ({form}).",
        who=who,
        target=application,
        reference=application.reference,
    )


def file_names(application: LoanApplication) -> list[str]:
    """Return the names that the files of the application's documents were sent under."""
    documents = Document.objects.filter(application=application)
    return list(documents.values_list("original_name", flat=True))


def masking_of(application: LoanApplication, *, files: Iterable[str]) -> Callable[[str], str]:
    """Return a function that masks in a text what is personal of this application.

    The audit log masks fields, and contact details that somebody typed into a text. A story
    leaves the office, in tickets: in it the applicant's name, the income, the digits of the SIN
    and the names of ``files`` are masked too, and every e-mail address.
    """
    longest_first = sorted(set(files), key=len, reverse=True)
    patterns = _name_patterns(application.applicant_name)
    if application.annual_income is not None:
        patterns.append((_amount_pattern(application.annual_income), _hide_amount))
    sin = re.compile(rf"(?i)(\bSIN\b\D{{0,30}}){re.escape(application.sin_last4)}\b")

    def masked(text: str) -> str:
        for name in longest_first:
            text = text.replace(name, mask_words(name))
        text = without_contact(
            text, phone=application.phone, email=application.email, address=application.address
        )
        for pattern, hide in patterns:
            text = pattern.sub(hide, text)
        return mask_mailboxes(sin.sub(rf"\1{HIDDEN}", text))

    return masked


type Hidden = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]


def _name_patterns(name: str) -> list[Hidden]:
    """Return a pattern for the whole name, and one for each of its words as a word of its own."""

    def hide_name(_: re.Match[str]) -> str:
        return mask_name(name)

    def hide_word(found: re.Match[str]) -> str:
        return mask_name(found[0])

    words = re.findall(r"\w+", name)
    whole = r"[\W_]{1,3}".join(map(re.escape, words))
    parts = "|".join(re.escape(word) for word in words if len(word) >= SHORTEST_NAME)
    patterns: list[Hidden] = []
    if whole:
        patterns.append((re.compile(rf"(?i)(?<![^\W_]){whole}(?![^\W_])"), hide_name))
    if parts:
        patterns.append((re.compile(rf"(?<![^\W_])(?:{parts})(?![^\W_])"), hide_word))
    return patterns


def _hide_amount(found: re.Match[str]) -> str:
    return mask_figure(found[0])


def _amount_pattern(amount: Decimal) -> re.Pattern[str]:
    """Match an amount, whatever its cents, with and without separators of thousands."""
    digits = r"[,\s]?".join(f"{amount:,.2f}".partition(".")[0].split(","))
    return re.compile(rf"(?<![\d.,]){digits}(?:\.\d\d)?(?!\d)")
