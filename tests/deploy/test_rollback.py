"""``zappa rollback`` takes the companions back to the web function's package."""

from tests.deploy.office import COMPANIONS, FRAUD, LOAN, WEB, Aws, Office


def test_rollback_moves_the_companions_to_the_version_of_the_same_package(
    deployed: Office, aws: Aws
) -> None:
    aws.shipped_before("two")
    first = aws.versions(WEB)["1"]
    deployed.zappa("rollback")

    assert aws.configuration(WEB)["CodeSha256"] == first
    assert {aws.live_package(each) for each in COMPANIONS} == {first}
    assert aws.changes() == [
        f"UpdateFunctionCode {WEB}",
        *(f"UpdateAlias {each}" for each in COMPANIONS),
    ]


def test_rollback_finds_the_package_when_version_numbers_have_drifted_apart(
    deployed: Office, aws: Aws
) -> None:
    aws.shipped_before("failed", web=False, live=False)  # the companions are a version ahead
    aws.shipped_before("two")
    aws.shipped_before("three")
    assert (aws.alias(LOAN), len(aws.versions(WEB))) == ("4", 3)

    deployed.zappa("rollback", "-n", "1")

    assert aws.alias(LOAN) == "3"
    assert aws.live_package(LOAN) == aws.versions(WEB)["2"]
    assert aws.configuration(WEB)["CodeSha256"] == aws.versions(WEB)["2"]


def test_rollback_to_a_package_that_a_companion_never_had_moves_nothing_and_says_what_to_do(
    deployed: Office, aws: Aws
) -> None:
    aws.shipped_before("two")
    aws.client("lambda").delete_function(FunctionName=FRAUD, Qualifier="1")
    second = aws.versions(WEB)["2"]
    said = deployed.zappa("rollback", code=1)

    assert f"Nothing was rolled back: {FRAUD} has no version of that package" in said
    assert "zappa update" in said
    assert aws.configuration(WEB)["CodeSha256"] == second
    assert [aws.alias(each) for each in COMPANIONS] == ["2", "2", "2"]


def test_rollback_further_than_there_are_versions_is_refused(deployed: Office, aws: Aws) -> None:
    said = deployed.zappa("rollback", code=1)

    assert f"Nothing was rolled back: {WEB} has 1 versions, so -n is at most 0." in said
    assert aws.changes() == []


def test_rollback_whose_code_cannot_be_fetched_leaves_the_companions(
    deployed: Office, aws: Aws
) -> None:
    aws.shipped_before("two")
    aws.tell(code_is_lost=True)
    said = deployed.zappa("rollback", code=1)

    assert "the old code cannot be fetched" in said
    assert [aws.alias(each) for each in COMPANIONS] == ["2", "2", "2"]


def test_rollback_that_ends_on_another_package_leaves_the_companions_and_says_so(
    deployed: Office, aws: Aws
) -> None:
    aws.shipped_before("two")
    aws.tell(overtaken=[WEB])
    said = deployed.zappa("rollback", code=1)

    assert "alias `live` was left alone" in said
    assert [aws.alias(each) for each in COMPANIONS] == ["2", "2", "2"]


def test_update_after_a_rollback_brings_all_functions_to_one_package(
    deployed: Office, aws: Aws
) -> None:
    aws.shipped_before("two")
    deployed.zappa("rollback")
    deployed.ship("update")

    newest = max(aws.versions(WEB), key=int)
    assert {aws.live_package(each) for each in COMPANIONS} == {aws.versions(WEB)[newest]}
