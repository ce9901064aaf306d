"""The sentence of an incident says what failed, without the words of a database driver."""

import pytest
from aws_durable_execution_sdk_python import StepError

from functions.operation_results import incident_of
from workflows.models import Incident


@pytest.mark.parametrize(
    "kind",
    ["django.db.utils.DataError", "django.db.utils.IntegrityError", "decimal.InvalidOperation"],
)
def test_refusal_of_the_database_is_told_in_words(kind: str) -> None:
    error = StepError(
        'numeric field overflow DETAIL: A field with precision 8, scale 2 "risk"', error_type=kind
    )

    found, sentence = incident_of(error)

    assert found == Incident.Kind.WORKFLOW_FAILED
    assert sentence == (
        "The workflow failed: the database did not take what a step wrote "
        f"({kind.rpartition('.')[2]}). The function's log says where. Restart the application "
        "when the cause is mended."
    )


def test_other_failure_is_told_in_its_own_words() -> None:
    error = StepError("The rail asks to wait", error_type="workflows.errors.ProviderError")
    assert incident_of(error) == (
        Incident.Kind.WORKFLOW_FAILED,
        "The workflow failed: The rail asks to wait",
    )
