"""The table of providers, the simulated profiles, and HTTP adapters whose server misbehaves."""

import json
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from django.core.checks import run_checks

from applications.choices import Bureau, FraudVerdict
from devtools.loopback_server import LoopbackServer
from lending.underwriting import Report
from workflows.checks import bureaus_are_simulated
from workflows.errors import PayoutRefused, PayoutUnknown, ProviderError
from workflows.models import SimulatedPayout
from workflows.providers import registry
from workflows.providers.catalogue import TOKEN_VARIABLES, URL_VARIABLES
from workflows.providers.http import HttpBureau, HttpFraudService, HttpPayoutRail
from workflows.providers.interfaces import Payment, PaymentState, Subject
from workflows.providers.simulated import SCORES, SimulatedBureau, SimulatedPayoutRail

NOWHERE = "http://127.0.0.1:9"
PAY: dict[str, Any] = {
    "idempotency_key": "payout-LOAN-1",
    "amount": Decimal("100.00"),
    "currency": "CAD",
    "reference": "LOAN-1",
}


def subject(sin_last4: str) -> Subject:
    return Subject("LOAN-1", "A", "Street", sin_last4, Decimal("100.00"), "CAD")


class Outside:
    """An outside service: the next answer, and what it was asked."""

    def __init__(self) -> None:
        self.status, self.body = 200, b"{}"
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        outside = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                """Quiet."""

            def do_GET(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(size) or b"null")
                outside.asked.append((self.command, self.path, dict(self.headers), body))
                if outside.status == 0:
                    return  # hangs up
                self.send_response(outside.status)
                self.end_headers()
                self.wfile.write(outside.body)

            do_POST = do_GET  # noqa: N815

        self.server = LoopbackServer(Handler)
        self.url = self.server.url
        self.server.start()

    def answers(self, status: int, body: object = None) -> None:
        self.status, self.body = status, json.dumps(body).encode() if body is not None else b""


@pytest.fixture
def outside() -> Iterator[Outside]:
    serving = Outside()
    yield serving
    serving.server.stop()


def test_simulated_scores_of_any_sin_repeat_and_stay_in_range() -> None:
    for sin in ("0000", "1234", "9876"):
        for bureau in Bureau:
            first = SimulatedBureau(bureau).pull(subject(sin))
            assert SimulatedBureau(bureau).pull(subject(sin)) == first
            assert 300 <= first.report.score <= 900
    assert len({SimulatedBureau(b).pull(subject("1234")).report.score for b in Bureau}) > 1


def test_experian_is_down_for_one_profile_only() -> None:
    with pytest.raises(ProviderError, match="Experian is not available"):
        SimulatedBureau(Bureau.EXPERIAN).pull(subject("5555"))
    assert SimulatedBureau(Bureau.EQUIFAX).pull(subject("5555")).report == Report(702, 0)


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_simulated_rail_pays_a_key_once() -> None:
    rail = SimulatedPayoutRail()
    assert rail.find(idempotency_key=PAY["idempotency_key"]) is None
    assert rail.pay(**PAY) == rail.pay(**PAY) == "PAY-LOAN-1"
    assert rail.find(idempotency_key=PAY["idempotency_key"]) == Payment(
        PaymentState.SETTLED, "PAY-LOAN-1"
    )
    assert SimulatedPayout.objects.get().requests == 2
    with pytest.raises(PayoutRefused):
        rail.pay(**{**PAY, "amount": Decimal("100.01")})


@pytest.mark.django_db
@pytest.mark.parametrize("bureau", Bureau)
def test_bureau_without_a_simulated_score_is_found_by_a_check(
    monkeypatch: pytest.MonkeyPatch, bureau: Bureau
) -> None:
    assert bureaus_are_simulated() == []
    monkeypatch.setitem(SCORES, bureau, {"1111": 700})
    (error,) = bureaus_are_simulated()
    assert error.id == "workflows.E006"
    assert error.msg.endswith(f"{bureau.label} has no simulated score for 2222, 3333, 4444, 5555.")
    monkeypatch.delitem(SCORES, bureau)
    assert [each.id for each in run_checks() if each.id == "workflows.E006"] == ["workflows.E006"]


def test_variables_of_every_provider_are_derived_and_their_names_stay(settings: Any) -> None:
    assert set(settings.LOANOFFICE_PROVIDERS) == {*Bureau.values, "fraud", "payout"}
    known = {"EQUIFAX_URL", "TRANSUNION_URL", "EXPERIAN_URL", "FRAUD_SERVICE_URL"}
    assert {*known, "PAYOUT_RAIL_URL"} <= {*URL_VARIABLES.values()}
    assert {name.replace("_URL", "_TOKEN") for name in URL_VARIABLES.values()} == {
        *TOKEN_VARIABLES.values()
    }


@pytest.mark.parametrize("stage", ["production", "staging"])
def test_deployed_stage_lists_the_url_of_every_provider(settings: Any, stage: str) -> None:
    stages = json.loads((settings.BASE_DIR / "zappa_settings.json").read_text())
    listed = stages[stage]["aws_environment_variables"]
    missing = [name for name in URL_VARIABLES.values() if name not in listed]
    assert not missing or listed.get("LOANOFFICE_SIMULATED_PROVIDERS") == "true", (
        f"zappa_settings.json, {stage}, aws_environment_variables: add {', '.join(missing)}."
    )


def test_url_in_the_settings_chooses_the_adapter(settings: Any) -> None:
    assert isinstance(registry.bureau(Bureau.EQUIFAX), SimulatedBureau)
    settings.LOANOFFICE_PROVIDERS = {
        name: {"url": NOWHERE, "token": "t"} for name in settings.LOANOFFICE_PROVIDERS
    }
    assert isinstance(registry.bureau(Bureau.EQUIFAX), HttpBureau)
    assert isinstance(registry.fraud_service(), HttpFraudService)
    assert isinstance(registry.payout_rail(), HttpPayoutRail)


def test_http_bureau_sends_the_subject_and_reads_the_report(outside: Outside) -> None:
    outside.answers(200, {"score": 701, "derogatory_marks": 2, "id": "X1"})
    found = HttpBureau(url=outside.url, token="t").pull(subject("1111"))
    assert (found.report, found.bureau_reference) == (Report(701, 2), "X1")
    method, path, headers, body = outside.asked[0]
    assert (method, path, headers["Authorization"]) == ("POST", "/reports", "Bearer t")
    assert (body["sin_last4"], body["loan_amount"]) == ("1111", "100.00")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {}),
        (404, {}),
        (302, {}),
        (200, {"score": "high"}),
        (200, []),
        (0, None),
        (200, None),
        (200, {"score": 901, "derogatory_marks": 0, "id": "X1"}),
        (200, {"score": 299, "derogatory_marks": 0, "id": "X1"}),
        (200, {"score": 700, "derogatory_marks": -1, "id": "X1"}),
        (200, {"score": 700, "derogatory_marks": 10_000, "id": "X1"}),
        (200, {"score": 1e400, "derogatory_marks": 0, "id": "X1"}),
        (200, {"score": 700, "derogatory_marks": 0, "id": "X" * 101}),
    ],
)
def test_http_bureau_and_fraud_service_turn_nonsense_into_provider_errors(
    outside: Outside, status: int, body: object
) -> None:
    outside.answers(status, body)
    with pytest.raises(ProviderError):
        HttpBureau(url=outside.url, token="t").pull(subject("1111"))
    with pytest.raises(ProviderError):
        HttpFraudService(url=outside.url, token="t").check(subject("1111"))


def test_http_fraud_service_reads_the_verdict(outside: Outside) -> None:
    outside.answers(200, {"result": "flagged"})
    service = HttpFraudService(url=outside.url, token="t")
    assert service.check(subject("1111")) == FraudVerdict.FLAGGED


def test_http_rail_pays_under_the_key_and_finds_it(outside: Outside) -> None:
    rail = HttpPayoutRail(url=outside.url, token="t")
    outside.answers(201, {"id": "P1", "status": "settled"})
    assert rail.pay(**PAY) == "P1"
    assert outside.asked[0][2]["Idempotency-Key"] == "payout-LOAN-1"
    assert outside.asked[0][3] == {"amount": "100.00", "currency": "CAD", "reference": "LOAN-1"}
    assert rail.find(idempotency_key="payout-LOAN-1") == Payment(PaymentState.SETTLED, "P1")
    outside.answers(404, {"status": "not_found"})
    assert rail.find(idempotency_key="payout-LOAN-1") is None


NO = {"status": "refused", "reason": "The account is closed."}


@pytest.mark.parametrize("status", [400, 402, 403, 404, 422])
def test_http_rail_refuses_by_a_status_and_a_body_that_says_so(
    outside: Outside, status: int
) -> None:
    rail = HttpPayoutRail(url=outside.url, token="t")
    outside.answers(status, NO)
    with pytest.raises(PayoutRefused, match=rf"refused it with {status}\. The account is closed\."):
        rail.pay(**PAY)
    for unsaid in ({}, {"status": "in_progress"}, {"error": "refused"}, [], None):
        outside.answers(status, unsaid)
        with pytest.raises(PayoutUnknown):
            rail.pay(**PAY)


@pytest.mark.parametrize("status", [302, 401, 408, 409, 410, 425, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("body", [NO, {}, {"status": "in_progress"}, {"id": "P1"}])
def test_http_rail_that_answers_otherwise_may_have_paid(
    outside: Outside, status: int, body: object
) -> None:
    outside.answers(status, body)
    with pytest.raises(PayoutUnknown):
        HttpPayoutRail(url=outside.url, token="t").pay(**PAY)


SENSELESS_ID = [
    {},
    {"id": None},
    {"id": ""},
    {"id": " "},
    {"id": True},
    {"id": {}},
    {"id": "X" * 101},
]


@pytest.mark.parametrize(
    "body",
    [
        *[{**each, "status": "settled"} for each in SENSELESS_ID],
        {"id": "P1"},
        {"id": "P1", "status": "failed"},
        {"id": "P1", "status": "refused"},
        {"id": "P1", "status": "pending"},
        {"id": "P1", "status": "SETTLED"},
        {"id": "P1", "status": ["settled"]},
        [],
        None,
    ],
)
def test_http_rail_has_paid_only_what_it_says_is_settled(outside: Outside, body: object) -> None:
    outside.answers(200, body)
    with pytest.raises(PayoutUnknown):
        HttpPayoutRail(url=outside.url, token="t").pay(**PAY)


@pytest.mark.parametrize(
    "raw", [b"<html>Bad Gateway</html>", b"\xff\xfe", b"{", b"[" * 100_000, b"1"]
)
@pytest.mark.parametrize("status", [0, 200, 404, 422])
def test_http_rail_that_cannot_be_read_may_have_paid_and_is_asked_again(
    outside: Outside, status: int, raw: bytes
) -> None:
    rail = HttpPayoutRail(url=outside.url, token="t")
    outside.status, outside.body = status, raw
    with pytest.raises(PayoutUnknown):
        rail.pay(**PAY)
    with pytest.raises(ProviderError):
        rail.find(idempotency_key="payout-LOAN-1")


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("settled", PaymentState.SETTLED),
        ("failed", PaymentState.FAILED),
        ("refused", PaymentState.FAILED),
        ("pending", PaymentState.OPEN),
        ("in_progress", PaymentState.OPEN),
        ("Settled", PaymentState.OPEN),
        ("", PaymentState.OPEN),
    ],
)
def test_http_rail_is_read_by_the_status_of_the_payment(
    outside: Outside, said: str, state: PaymentState
) -> None:
    outside.answers(200, {"id": "P1", "status": said})
    found = HttpPayoutRail(url=outside.url, token="t").find(idempotency_key="payout-LOAN-1")
    assert found == Payment(state, "P1")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {}),  # of a proxy, or of another address
        (404, {"detail": "Not found"}),
        (200, {"status": "not_found"}),
        (200, {"id": "P1"}),
        (200, {"id": "P1", "status": None}),
        *[(200, {**each, "status": "settled"}) for each in SENSELESS_ID],
        (409, {"id": "P1", "status": "settled"}),
        (500, {"id": "P1", "status": "settled"}),
    ],
)
def test_http_rail_that_does_not_say_what_it_knows_knows_nothing_for_certain(
    outside: Outside, status: int, body: object
) -> None:
    rail = HttpPayoutRail(url=outside.url, token="t")
    outside.answers(status, body)
    if (status, body) == (200, {"status": "not_found"}):
        assert rail.find(idempotency_key="payout-LOAN-1") == Payment(PaymentState.OPEN, "")
        return
    with pytest.raises(ProviderError):
        rail.find(idempotency_key="payout-LOAN-1")


def test_http_rail_that_was_never_reached_may_be_asked_again() -> None:
    with pytest.raises(ProviderError):
        HttpPayoutRail(url=NOWHERE, token="t").pay(**PAY)
