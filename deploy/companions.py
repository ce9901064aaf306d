"""Create and update the companions' code and configuration, and publish a version.

Nothing here goes live: that is the alias, and ``releases`` moves it.
"""

from typing import Any

import click
from botocore.exceptions import ClientError
from click import ClickException

from deploy.explained_errors import explained, is_missing
from deploy.stage import Companion, companions_of

RUN_AGAIN = (
    "The alias `live` has not moved: the previous version still runs. "
    "When the cause is corrected, run the same command again."
)


def refuse_without_roles(cli: Any) -> None:
    """Raise ``ClickException`` with the names of missing roles."""
    names = [cli.zappa.role_name, *(companion.function for companion in companions_of(cli))]
    with explained(
        "The roles cannot be looked up", advice="Nothing was done. It takes iam:GetRole."
    ):
        missing = [name for name in names if _role_arn(cli, name) is None]
    if missing:
        raise ClickException(
            f"Nothing was done. There is no role {', '.join(missing)}. Make the roles first: "
            f"python -m deploy.roles {cli.api_stage}"
        )


def publish_all(cli: Any, code: dict[str, Any]) -> dict[str, str]:
    """Update every companion to this code; return the published version of each function.

    ``code`` is where the package is: ``{"S3Bucket", "S3Key"}`` or ``{"ZipFile"}``.
    """
    return {companion.function: _publish(cli, companion, code) for companion in companions_of(cli)}


def _publish(cli: Any, companion: Companion, code: dict[str, Any]) -> str:
    name, client = companion.function, cli.zappa.lambda_client
    with explained(f"{name} could not be brought up to date", advice=RUN_AGAIN):
        existing = _existing(client, name)
        if existing is None:
            sha = _create(cli, companion, code)
        else:
            _refuse_to_make_durable(companion, existing)
            sha = _update(cli, companion, code, existing)
        # The hash makes sure that what is published is what was uploaded here.
        version = client.publish_version(FunctionName=name, CodeSha256=sha)["Version"]
        cli.zappa.wait_until_lambda_function_version_is_active(name, version)
    click.echo(f"{name}: version {version} is published.")
    return str(version)


def _create(cli: Any, companion: Companion, code: dict[str, Any]) -> str:
    more: dict[str, Any] = {"Tags": dict(cli.tags)} if cli.tags else {}
    if companion.durable:
        more["DurableConfig"] = companion.durable
    created = cli.zappa.lambda_client.create_function(
        FunctionName=companion.function,
        PackageType="Zip",
        Architectures=[cli.architecture],
        Code=code,
        Publish=False,
        **_configuration(cli, companion),
        **more,
    )
    cli.zappa.wait_until_lambda_function_is_active(companion.function)
    return str(created["CodeSha256"])


def _update(cli: Any, companion: Companion, code: dict[str, Any], existing: dict[str, Any]) -> str:
    name, client = companion.function, cli.zappa.lambda_client
    updated = client.update_function_code(FunctionName=name, Publish=False, **code)
    cli.zappa.wait_until_lambda_function_is_updated(name)
    changed = companion.durable and companion.durable.items() - existing["DurableConfig"].items()
    client.update_function_configuration(
        FunctionName=name,
        **_configuration(cli, companion),
        **({"DurableConfig": companion.durable} if changed else {}),
    )
    cli.zappa.wait_until_lambda_function_is_updated(name)
    return str(updated["CodeSha256"])


def _configuration(cli: Any, companion: Companion) -> dict[str, Any]:
    """The configuration: the web function's, with what the companion overrides."""
    vpc = cli.vpc_config or {}
    variables = {**cli.aws_environment_variables, **companion.environment}
    return {
        "Role": _role_arn(cli, companion.function),
        "Handler": companion.handler,
        "Runtime": cli.runtime,
        "Description": f"Beside {cli.lambda_name}, from the same package",
        "Timeout": companion.timeout,
        "MemorySize": companion.memory_size,
        "Environment": {"Variables": {name: str(value) for name, value in variables.items()}},
        "VpcConfig": {
            "SubnetIds": vpc.get("SubnetIds", []),
            "SecurityGroupIds": vpc.get("SecurityGroupIds", []),
        },
        "KMSKeyArn": cli.aws_kms_key_arn or "",
        "TracingConfig": {"Mode": "Active" if cli.xray_tracing else "PassThrough"},
        "Layers": cli.layers or [],
    }


def _refuse_to_make_durable(companion: Companion, existing: dict[str, Any]) -> None:
    if companion.durable and not existing.get("DurableConfig"):
        raise ClickException(
            f"{companion.function} is there and is not durable, and AWS makes a function durable "
            "only when it creates it. It cannot have executions, so delete it (aws lambda "
            f"delete-function --function-name {companion.function}) and run the command again."
        )


def _existing(client: Any, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = client.get_function_configuration(FunctionName=name)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return found


def _role_arn(cli: Any, name: str) -> str | None:
    try:
        return str(cli.zappa.iam_client.get_role(RoleName=name)["Role"]["Arn"])
    except ClientError as error:
        if is_missing(error):
            return None
        raise
