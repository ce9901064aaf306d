"""Old versions are deleted, except those that executions, the alias or a rollback may need."""

from tests.deploy.office import FRAUD, LOAN, WEB, Aws, Office

DENIED = {"status": 403, "error": "AccessDeniedException"}


def test_as_many_versions_stay_as_zappa_keeps_of_the_web_function(
    deployed: Office, aws: Aws
) -> None:
    deployed.save_settings(num_retained_versions=2)
    aws.shipped_before("two")
    aws.shipped_before("three")
    deployed.ship("update")

    assert [*aws.versions(WEB)] == ["3", "4"]
    assert [*aws.versions(LOAN)] == ["3", "4"]
    assert [*aws.versions(FRAUD)] == ["3", "4"]


def test_version_with_an_unfinished_execution_stays_on_whatever_page_it_is_named(
    deployed: Office, aws: Aws
) -> None:
    for content in ("two", "three", "four"):
        aws.shipped_before(content)
    aws.tell(page=2)
    aws.executions(
        *((f"LOAN-{number}-1", "2", "RUNNING") for number in range(4)),
        ("LOAN-5-1", "4", "SUCCEEDED"),
        ("LOAN-8-1", "1", "PAUSED"),
        ("LOAN-9-1", "3", "PAUSING"),
    )
    deployed.save_settings(num_retained_versions=1)
    deployed.ship("update")

    assert [*aws.versions(LOAN)] == ["1", "2", "3", "5"]
    assert [*aws.versions(FRAUD)] == ["5"]
    pages = aws.requests("ListDurableExecutionsByFunction")
    assert [each.query.get("Marker") for each in pages] == [None, "2", "4"]


def test_nothing_of_a_function_goes_when_its_executions_cannot_be_listed(
    deployed: Office, aws: Aws
) -> None:
    deployed.save_settings(num_retained_versions=1)
    aws.fault("ListDurableExecutionsByFunction", times=9, **DENIED)
    said = deployed.ship("update", code=1)

    assert f"Old versions of {LOAN} could not be deleted" in said
    assert "The new one is live." in said
    assert [*aws.versions(LOAN)] == ["1", "2"]
    assert aws.alias(LOAN) == "2"


def test_live_version_stays_though_the_web_function_has_left_its_package_behind(
    deployed: Office, aws: Aws
) -> None:
    deployed.save_settings(num_retained_versions=1)
    aws.fault("PutRule", **DENIED)  # between the web function's code and the alias
    deployed.ship("update", code=255)

    assert [*aws.versions(WEB)] == ["2"]
    assert [*aws.versions(LOAN)] == ["1", "2"]
    assert aws.alias(LOAN) == "1"


def test_versions_of_deploys_that_failed_go_with_the_next(deployed: Office, aws: Aws) -> None:
    aws.shipped_before("refused", web=False, live=False)
    assert [*aws.versions(LOAN)] == ["1", "2"]

    deployed.ship("update")

    assert [*aws.versions(LOAN)] == ["1", "3"]
    assert [*aws.versions(WEB)] == ["1", "2"]


def test_all_versions_stay_when_the_settings_say_so(deployed: Office, aws: Aws) -> None:
    aws.shipped_before("refused", web=False, live=False)
    deployed.save_settings(num_retained_versions=None)
    deployed.ship("update")

    assert [*aws.versions(LOAN)] == ["1", "2", "3"]
