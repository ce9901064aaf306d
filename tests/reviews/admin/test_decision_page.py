"""The page of one decision: figures and limits, bureaus, documents, others, and Reveal in place."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from applications.choices import Bureau, DocumentKind
from applications.models import CreditReport, LoanApplication, RiskAssessment
from audit.models import Action, AuditEntry
from lending.choices import Tier
from reviews.admin.decision_facts import Fact, facts
from reviews.admin.figures import figures
from reviews.choices import TaskKind
from reviews.models import ReviewTask
from tests import casework
from tests.applications.admin.conftest import Login, decide_page, page, said

pytestmark = pytest.mark.django_db


def html_of(client: Client, application: LoanApplication, outcome: str = "approve") -> str:
    return client.get(decide_page(application, outcome)).content.decode()


def facts_of(
    application: LoanApplication, *, shown: bool = False, **assessed: Any
) -> dict[str, Fact]:
    """The figures of an application that was assessed like this, by their name."""
    values = {
        "tier": Tier.PRIME,
        "annual_rate": Decimal("5.25"),
        "score_sum": 2342,
        "score_count": 3,
        "derogatory_marks": 0,
        "policy_id": application.policy_id,
        "debt_to_income": Decimal("105.88"),
    }
    assessment = RiskAssessment(**{**values, **assessed})
    task = ReviewTask(application=application, kind=TaskKind.MANAGER_APPROVAL)
    known = figures(task, assessment, income_shown=shown)
    return {fact.name: fact for fact in facts(application, known, income_shown=shown)}


def test_figures_stand_beside_their_limits(waiting: LoanApplication) -> None:
    found = facts_of(waiting)

    assert (found["Amount"].limit, found["Amount"].tone) == (
        "within the largest loan of Prime, 1,000,000.00 CAD",
        "good",
    )
    assert "2,847.90" in found["Monthly instalment"].value
    assert found["Monthly instalment"].limit == "over 60 months at 5.25 %"
    assert found["Instalment to income"].value == "30 to 61 %"
    assert found["Estimated payment to income"].value == "80 to 160 %"
    assert found["Estimated payment to income"].limit == "the policy has no limit"
    assert found["Tier and average score"].value == "Prime, 780.67"
    assert found["Tier and average score"].limit == "at or over the 740 of Prime"
    assert found["Derogatory marks"].limit == "a clean record"


def test_what_is_over_a_limit_says_so_and_is_red(waiting: LoanApplication) -> None:
    waiting.loan_amount = Decimal(300_000)

    found = facts_of(waiting, tier=Tier.NEAR_PRIME, derogatory_marks=2)
    lowest = facts_of(waiting, tier=Tier.DEEP_SUBPRIME, score_sum=1620)

    amount = found["Amount"]
    assert (amount.limit, amount.tone) == (
        "over the largest loan of Near-prime, 250,000.00 CAD",
        "bad",
    )
    marks = found["Derogatory marks"]
    assert (marks.value, marks.limit, marks.tone) == ("2", "Prime needs a clean record", "wait")
    assert lowest["Amount"].limit == "the policy lends nothing at Deep subprime"
    score = lowest["Tier and average score"]
    assert (score.limit, score.tone) == ("below the 580 of Subprime, the lowest lent to", "bad")


@pytest.mark.parametrize(
    ("ratio", "limit", "tone"),
    [
        ("105.88", "over the policy's 45 %", "bad"),
        ("45.00", "within the policy's 45 %", "good"),
        (None, "the policy's limit is 45 %", "wait"),
    ],
)
def test_share_of_income_stands_beside_the_policys_limit(
    waiting: LoanApplication,
    monkeypatch: pytest.MonkeyPatch,
    ratio: str | None,
    limit: str,
    tone: str,
) -> None:
    policy = waiting.policy
    assert policy is not None
    policy.maximum_debt_to_income = Decimal("45.00")
    monkeypatch.setattr("reviews.admin.decision_facts.policy_published", lambda _: policy)

    given = None if ratio is None else Decimal(ratio)
    found = facts_of(waiting, debt_to_income=given)["Estimated payment to income"]

    assert (found.limit, found.tone) == (limit, tone)


def test_exact_shares_are_shown_only_with_the_income(waiting: LoanApplication) -> None:
    hidden, shown = facts_of(waiting), facts_of(waiting, shown=True)

    assert shown["Instalment to income"].value == "40.21 %"
    assert shown["Estimated payment to income"].value == "105.88 %"
    assert not {"40.21 %", "105.88 %"} & {fact.value for fact in hidden.values()}


def test_bureaus_have_a_line_each_also_the_one_that_did_not_answer(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    waiting.credit_reports.filter(bureau=Bureau.EXPERIAN).delete()
    RiskAssessment.objects.update(missing_bureaus=[Bureau.EXPERIAN])
    CreditReport.objects.filter(bureau=Bureau.EQUIFAX).update(derogatory_marks=1)

    html = html_of(login(manager), waiting)

    assert "<strong>Equifax</strong> 782, 1 derogatory mark" in html
    assert "<strong>TransUnion</strong> 776, no marks" in html
    assert '<strong>Experian</strong> <span class="badge tone-wait">no answer after 3 tries' in html


def test_link_leads_past_the_facts_to_the_form_where_it_stands_below_them(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    html = html_of(login(manager), waiting)

    before, link, after = html.partition('<a href="#decision">To the decision</a>')
    assert link
    assert 'id="decide-what"' not in before
    form = after.partition('id="decision"')[2].partition("</form>")[0]
    assert 'id="id_reason"' in form
    assert ">Approve</button>" in form


def test_documents_are_named_with_their_kind_and_a_link(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    client = login(manager)
    assert "No document yet. Loan officers and the partner add proof of identity" in html_of(
        client, waiting
    )
    document = waiting.documents.create(
        kind=DocumentKind.PROOF_OF_INCOME, original_name="slip.pdf", size=1, key="k"
    )

    html = html_of(client, waiting)

    assert f'<a href="{page("document", waiting, document.pk)}"' in html
    assert "slip.pdf</a>" in html
    assert "Proof of income" in html


def test_other_applications_of_the_applicant_are_listed_however_old(
    login: Login, waiting: LoanApplication, manager: User, officer: User
) -> None:
    old, recent = casework.submit(officer), casework.submit(officer)
    stranger = casework.submit(officer, sin_last4="9999")
    old.created_at -= timedelta(days=400)
    old.save(update_fields=["created_at"])

    html = html_of(login(manager), waiting)

    others = html.partition('id="other-applications"')[2].partition("</section>")[0]
    assert old.reference in others
    assert recent.reference not in others  # the warning above has it
    assert recent.reference in html
    assert stranger.reference not in html


# --- Reveal ---------------------------------------------------------------------------------------


def test_reveal_on_the_page_returns_to_it_and_is_on_record(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    client = login(manager)
    here = f"{decide_page(waiting, 'approve')}?_changelist_filters=mine%3Dyes"
    html = client.get(here).content.decode()
    assert f'name="back" value="{here}"' in html
    assert "613-555-0101" not in html

    answer = client.post(page("reveal", waiting), {"back": here})

    assert answer.url == f"{here}#contact"
    assert said(answer) == [
        "The contact details are shown to you for 10 minutes. The audit log says so."
    ]
    html = client.get(here).content.decode()
    assert "613-555-0101" in html
    assert "85,000.00" in html
    assert "40.21 %" in html
    assert 'id="reveal"' not in html
    entry = AuditEntry.objects.get(action=Action.REVEALED)
    assert (entry.actor, entry.reference) == (manager, waiting.reference)


@pytest.mark.parametrize(
    "back", ["", "https://example.com/", "//example.com/", "/admin/", "/admin/applications/"]
)
def test_reveal_returns_to_no_other_place(
    login: Login, waiting: LoanApplication, manager: User, back: str
) -> None:
    answer = login(manager).post(page("reveal", waiting), {"back": back})

    assert answer.url == page("change", waiting)


def test_who_may_not_reveal_is_not_offered_it(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    group = manager.groups.get()
    group.permissions.remove(group.permissions.get(codename="reveal_contact"))

    html = html_of(login(manager), waiting)

    assert 'id="reveal"' not in html
    assert "613-555-0101" not in html


def test_visit_with_contact_details_shown_is_on_record_as_such(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    client = login(manager)
    client.post(page("reveal", waiting))

    client.get(decide_page(waiting, "approve"))

    entry = AuditEntry.objects.get(action=Action.VIEWED, actor=manager)
    assert entry.details["contact_shown"] is True
