"""``python -m deploy.roles STAGE``: create a stage's roles, or update them.

A role for each function, with one policy of its own: what is in ``policies/``, filled in
from ``zappa_settings.json``. This needs the right to change roles; the deploy itself does not.
``--print`` shows the documents and changes nothing.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import boto3
import click
from botocore.exceptions import ClientError

from deploy import tracing
from deploy.explained_errors import explained, is_missing
from deploy.stage import SECRETS, companions, faults, refuse

POLICIES = Path(__file__).parent / "policies"
SETTINGS = Path("zappa_settings.json")
POLICY_NAME = "loanoffice"

type Document = dict[str, Any]


@dataclass(frozen=True)
class Role:
    name: str
    trust: Document
    policy: Document


def main() -> int:
    """Run the command; return the exit code."""
    parser = argparse.ArgumentParser(prog="deploy.roles", description=__doc__)
    parser.add_argument("stage")
    parser.add_argument("--print", action="store_true", dest="only_print")
    asked = parser.parse_args()
    config = stage_config(json.loads(SETTINGS.read_text()), asked.stage)
    refuse(asked.stage, [*faults(config)])
    session = boto3.Session(region_name=config["aws_region"])
    with explained("AWS cannot be asked", advice="Look at the credentials of this shell."):
        account = session.client("sts").get_caller_identity()["Account"]
    roles = roles_of(asked.stage, config, account=account, partition=_partition(session))
    if asked.only_print:
        click.echo(json.dumps({r.name: [r.trust, r.policy] for r in roles}, indent=2))
        return 0
    for role in roles:
        with explained(
            f"{role.name} could not be updated",
            advice="This needs the right to change roles. It can be run again.",
        ):
            click.echo(f"{role.name}: {role_apply(session.client('iam'), role)}")
    return 0


def stage_config(stages: dict[str, Document], name: str) -> Document:
    """Return a stage's settings, with those that it extends, as Zappa reads them."""
    if name not in stages:
        raise click.ClickException(f"{SETTINGS} has no stage {name}, only {', '.join(stages)}.")
    own = stages[name]
    return {**stage_config(stages, own["extends"]), **own} if "extends" in own else own


def roles_of(stage: str, config: Document, *, account: str, partition: str) -> list[Role]:
    """Return the web function's role and one for each companion."""
    web = f"{config['project_name']}-{stage}"
    variables = config["aws_environment_variables"]
    here = {
        "partition": partition,
        "region": config["aws_region"],
        "account": account,
        "loan_approval": _unqualified(variables["LOAN_APPROVAL_FUNCTION"]),
        "fraud_check": _unqualified(variables["FRAUD_CHECK_FUNCTION"]),
        "static_bucket": variables["STATIC_BUCKET"],
        "media_bucket": variables["MEDIA_BUCKET"],
        "seal_bucket": variables["SEAL_BUCKET"],
        "media_key": variables.get("MEDIA_KMS_KEY", ""),
        "execution_key": _execution_key(config, web),
        "secrets_key": config.get("secrets_kms_key", ""),
        "traces_log": _traces_log(config, partition, account),
    }

    def secrets(name: str) -> dict[str, str]:
        return _secrets(name, partition, config["aws_region"], account)

    stage_secrets = variables[SECRETS]
    values = {**here, **secrets(stage_secrets), "function": web}
    roles = [_role(config["role_name"], "web", "trust-web", values)]
    for companion in companions(config, web):
        kind = companion.function.removeprefix(f"{web}-")
        own = secrets(companion.environment.get(SECRETS, stage_secrets))
        values = {**here, **own, "function": companion.function}
        roles.append(_role(companion.function, kind, "trust-function", values))
    return roles


def _traces_log(config: Document, partition: str, account: str) -> str:
    """The log group into which the layer writes figures of its traces; empty without a layer."""
    if not config.get(tracing.SETTING):
        return ""
    region = config["aws_region"]
    return f"arn:{partition}:logs:{region}:{account}:log-group:/aws/application-signals/data:*"


def _execution_key(config: Document, web: str) -> str:
    """The key that encrypts durable executions; empty where AWS's own does."""
    keys = {(each.durable or {}).get("KMSKeyArn", "") for each in companions(config, web)} - {""}
    if len(keys) > 1:
        raise click.ClickException(f"Durable functions have one KMSKeyArn, not {len(keys)}.")
    return str(next(iter(keys), ""))


def role_apply(iam: Any, role: Role) -> str:
    """Create or update the role; return a sentence about what was done."""
    trust, policy = json.dumps(role.trust), json.dumps(role.policy)
    try:
        existing = iam.get_role(RoleName=role.name)["Role"]
    except ClientError as error:
        if not is_missing(error):
            raise
        iam.create_role(RoleName=role.name, AssumeRolePolicyDocument=trust)
        iam.put_role_policy(RoleName=role.name, PolicyName=POLICY_NAME, PolicyDocument=policy)
        return "made"
    done = []
    if existing["AssumeRolePolicyDocument"] != role.trust:
        iam.update_assume_role_policy(RoleName=role.name, PolicyDocument=trust)
        done.append("who may take it")
    if _policy(iam, role.name) != role.policy:
        iam.put_role_policy(RoleName=role.name, PolicyName=POLICY_NAME, PolicyDocument=policy)
        done.append("its policy")
    return f"changed {' and '.join(done)}" if done else "as it should be"


def _policy(iam: Any, name: str) -> Document | None:
    try:
        found = iam.get_role_policy(RoleName=name, PolicyName=POLICY_NAME)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    document: Document = found["PolicyDocument"]
    return document


def _role(name: str, policy: str, trust: str, values: dict[str, str]) -> Role:
    return Role(name=name, trust=_document(trust, values), policy=_document(policy, values))


def _document(name: str, values: dict[str, str]) -> Document:
    """A file of ``policies/`` with its ``${names}`` filled in.

    A statement about something that the stage does not have (a key, a secret) is left out.
    """
    template = json.loads((POLICIES / f"{name}.json").read_text())
    document: Document = _filled_in(template, values)
    document["Statement"] = [each for each in document["Statement"] if _is_about_something(each)]
    return document


def _is_about_something(statement: Document) -> bool:
    resources = statement.get("Resource", "*")
    return any(resources if isinstance(resources, list) else [resources])


def _filled_in(template: Any, values: dict[str, str]) -> Any:
    if isinstance(template, dict):
        return {key: _filled_in(value, values) for key, value in template.items()}
    if isinstance(template, list):
        return [_filled_in(value, values) for value in template]
    return Template(template).substitute(values)


def _secrets(name: str, partition: str, region: str, account: str) -> dict[str, str]:
    """``LOANOFFICE_SECRETS`` is the ARN of a secret or the path of parameters."""
    if name.startswith("arn:"):
        return {"secret": name, "parameters": "", "parameters_below": ""}
    path = f"arn:{partition}:ssm:{region}:{account}:parameter{name.rstrip('/')}"
    return {"secret": "", "parameters": path, "parameters_below": f"{path}/*"}


def _unqualified(function: str) -> str:
    return function.partition(":")[0]


def _partition(session: boto3.Session) -> str:
    return str(session.get_partition_for_region(session.region_name))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
