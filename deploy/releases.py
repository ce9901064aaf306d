"""Move the aliases, forward and back, and delete versions that are not needed.

All functions run from one package, so an equal ``CodeSha256`` tells which version of a
companion belongs to which version of the web function. Version numbers drift apart.
"""

from typing import Any

import click
from click import ClickException

from deploy.executions import unfinished
from deploy.explained_errors import explained
from deploy.stage import ALIAS, Companion, companions_of

UNPUBLISHED = "$LATEST"


def go_live(cli: Any, published: dict[str, str]) -> None:
    """Point the alias of every companion at its published version."""
    for function, version in published.items():
        with explained(
            f"{function}:{ALIAS} could not be moved to version {version}",
            advice="Run the same command again: it moves those that were left behind.",
        ):
            before = cli.zappa.migrate_lambda_alias(function, ALIAS, version)
        click.echo(f"{function}:{ALIAS} is version {version} now, was {before or 'nothing'}.")


def delete_old_versions(cli: Any) -> None:
    """Delete the versions that are not live, not in use, and no target of a rollback.

    As many versions can be rolled back to as Zappa keeps of the web function.
    """
    if not cli.num_retained_versions:
        return
    goals = {version["CodeSha256"] for version in _versions(cli, cli.lambda_name)}
    for companion in companions_of(cli):
        with explained(
            f"Old versions of {companion.function} could not be deleted",
            advice="The new one is live. The next update tries again.",
        ):
            _forget(cli, companion, goals)


def _forget(cli: Any, companion: Companion, goals: set[str]) -> None:
    client, function = cli.zappa.lambda_client, companion.function
    versions = _versions(cli, function)
    live = client.get_alias(FunctionName=function, Name=ALIAS)["FunctionVersion"]
    # The newest version of a package is what a rollback takes; ascending, so it wins.
    newest = {version["CodeSha256"]: version["Version"] for version in versions}
    needed = {live} | {newest[sha] for sha in goals & newest.keys()}
    if companion.durable:
        needed |= unfinished(client, function).names.keys()
    for version in versions:
        if version["Version"] not in needed:
            client.delete_function(FunctionName=function, Qualifier=version["Version"])
            click.echo(f"{function}: version {version['Version']} is deleted.")


def package_to_roll_back_to(cli: Any, versions_back: int) -> str:
    """Return ``CodeSha256`` of the web function's version that Zappa will restore."""
    with explained("The versions could not be listed", advice="Nothing was rolled back."):
        versions = _versions(cli, cli.lambda_name)
    if versions_back >= len(versions):
        raise ClickException(
            f"Nothing was rolled back: {cli.lambda_name} has {len(versions)} versions, so -n is "
            f"at most {len(versions) - 1}."
        )
    return str(versions[-1 - versions_back]["CodeSha256"])


def versions_with(cli: Any, package: str) -> dict[str, str]:
    """Return the newest version of this package for every companion. Raises ``ClickException``."""
    found, missing = {}, []
    for companion in companions_of(cli):
        with explained("The versions could not be listed", advice="Nothing was rolled back."):
            versions = _versions(cli, companion.function)
        numbers = [each["Version"] for each in versions if each["CodeSha256"] == package]
        if numbers:
            found[companion.function] = numbers[-1]
        else:
            missing.append(companion.function)
    if missing:
        raise ClickException(
            f"Nothing was rolled back: {', '.join(missing)} has no version of that package "
            f"(CodeSha256 {package}). Go back to another one with -n, or check the old code out "
            "and deploy it with `zappa update`."
        )
    return found


def refuse_another_package(cli: Any, package: str) -> None:
    """Raise ``ClickException`` when the web function does not run this package."""
    with explained(
        "The web function was rolled back and does not answer", advice=_manual_steps(package)
    ):
        cli.zappa.wait_until_lambda_function_is_updated(cli.lambda_name)
        now = cli.zappa.lambda_client.get_function_configuration(FunctionName=cli.lambda_name)
    if now["CodeSha256"] != package:
        raise ClickException(
            f"{cli.lambda_name} was rolled back to CodeSha256 {now['CodeSha256']}, not to "
            f"{package}. {_manual_steps(package)}"
        )


def _manual_steps(package: str) -> str:
    return (
        f"The companions' alias `{ALIAS}` was left alone. `zappa update` brings all functions to "
        f"one package again; `aws lambda update-alias` moves them to the one of {package}."
    )


def _versions(cli: Any, function: str) -> list[dict[str, Any]]:
    """The published versions, oldest first; none of a function that does not exist."""
    client = cli.zappa.lambda_client
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
    try:
        found = [version for page in pages for version in page["Versions"]]
    except client.exceptions.ResourceNotFoundException:
        return []
    published = [version for version in found if version["Version"] != UNPUBLISHED]
    return sorted(published, key=lambda version: int(version["Version"]))
