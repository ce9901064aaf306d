"""Names, amounts and encodings: taken as they were meant, or refused with a problem.

``FUZZ_EXAMPLES`` sets how many of each are tried.
"""

import json
import os
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from applications.models import LoanApplication
from tests.partners.api.calls import ALICE, BASE, Caller, assert_problem
from tests.sizes import size

pytestmark = [pytest.mark.django_db, pytest.mark.long]

some = settings(
    max_examples=size(short=20, long=100, variable="FUZZ_EXAMPLES"),
    deadline=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
CENT, TOO_LARGE = Decimal("0.01"), Decimal(10**10)

# Everything that JSON can hold: control characters and unassigned ones, emoji in many parts,
# scripts written from the right, and signs that join the one before. No half characters.
signs = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
names = st.text(signs, min_size=1, max_size=200)
scripts = st.sampled_from("aé李ﷺم\u0410\u0308\u200b\u202e👩\u200d👧\u2028 '\"<&%{=\\")
mixed = st.text(scripts, min_size=1, max_size=40)
digits = st.text("0123456789", min_size=1, max_size=14)
amounts = st.one_of(
    st.decimals(-10, 2 * TOO_LARGE, places=2).map(str),
    st.decimals(allow_nan=True, allow_infinity=True).map(str),
    st.builds("{}.{}".format, digits, digits),
    st.text("0123456789.,-+eE _x٣", max_size=14),
)
CODECS = ["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7", "latin-1", "cp1252", "shift_jis"]


def sent(body: Any, codec: str) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode(codec, "replace")


@given(name=st.one_of(names, mixed))
@example(name="Zoe\u0308")
@example(name="\ufeff")
@some
def test_name_comes_back_as_it_was_sent(api: Caller, name: str) -> None:
    answer = api.submit(applicant_name=name)

    if name.strip():
        assert answer.status_code == 201, answer.content
        assert answer.json()["applicant_name"] == name.strip()
        stored = LoanApplication.objects.get(reference=answer.json()["reference"])
        assert stored.applicant_name == name.strip()
    else:
        assert "applicant_name" in assert_problem(answer, 400, "invalid-application")["errors"]


@given(amount=amounts)
@example(amount="0.00")
@example(amount="-0.01")
@example(amount="9999999999.99")
@example(amount="10000000000")
@some
def test_amount_is_taken_to_the_cent_or_refused(api: Caller, amount: str) -> None:
    answer = api.submit(loan_amount=amount)

    if answer.status_code == 201:
        meant = Decimal(amount)
        assert CENT <= meant < TOO_LARGE
        assert answer.json()["loan_amount"] == f"{meant:.2f}"
        assert Decimal(answer.json()["loan_amount"]) == meant
    else:
        assert "loan_amount" in assert_problem(answer, 400, "invalid-application")["errors"]


@given(amount=st.decimals(CENT, TOO_LARGE - CENT, places=2))
@some
def test_every_amount_there_is_is_taken(api: Caller, amount: Decimal) -> None:
    assert api.submit(loan_amount=f"{amount:f}").json()["loan_amount"] == f"{amount:.2f}"


@given(name=mixed, codec=st.sampled_from(CODECS), says_so=st.booleans())
@some
def test_another_encoding_is_refused_and_never_misread(
    api: Caller, name: str, codec: str, says_so: bool
) -> None:
    # Without an id of the partner's own, of which there may be one application only.
    raw = sent({**ALICE, "applicant_name": name, "external_id": ""}, codec)
    answer = api.call(
        "POST",
        BASE,
        data=raw,
        content_type=f"application/json; charset={codec}" if says_so else "application/json",
    )

    if says_so:
        assert_problem(answer, 415, "unsupported-media-type")
    elif answer.status_code == 201:  # these bytes are UTF-8 as well
        understood = json.loads(raw.decode("utf-8"))["applicant_name"]
        assert answer.json()["applicant_name"] == understood.strip()
    else:
        assert answer.status_code == 400, answer.content


@given(raw=st.binary(max_size=300))
@some
def test_any_bytes_get_a_problem(api: Caller, raw: bytes) -> None:
    answer = api.post(BASE, raw)

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"


@given(
    body=st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | names,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
        max_leaves=8,
    ),
    field=st.sampled_from(sorted(ALICE)),
)
@some
def test_any_value_of_a_field_is_taken_or_named(api: Caller, body: Any, field: str) -> None:
    answer = api.submit(**{field: body})

    if answer.status_code != 201:
        problem = json.loads(answer.content)
        assert answer.status_code == 400
        assert problem["type"] in {"/problems/invalid-application", "/problems/malformed-json"}
