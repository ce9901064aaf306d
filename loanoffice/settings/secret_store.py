"""Read secrets at a cold start: once from AWS, into the environment.

``LOANOFFICE_SECRETS`` names them: the path of parameters in the Parameter Store
(``/loanoffice/production``) or the ARN of a secret in Secrets Manager, which holds a JSON
object. Each is a variable, as ``SECRET_KEY`` and ``DATABASE_URL``. This imports nothing of
the project, because it runs before the settings are read.
"""

import json
import logging
import re
from collections.abc import MutableMapping
from typing import Any, Literal

from django.core.exceptions import ImproperlyConfigured

logger = logging.getLogger(__name__)

SOURCE = "LOANOFFICE_SECRETS"
SECRET_ARN = re.compile(r"arn:[a-z-]+:secretsmanager:[a-z0-9-]+:\d{12}:secret:.+")
PARAMETER_PATH = re.compile(r"(/[\w.-]+)+/?")
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")


def secrets_into(
    environment: MutableMapping[str, str], *, of_others: frozenset[str] = frozenset()
) -> None:
    """Add what ``LOANOFFICE_SECRETS`` names; a variable that is set already stays as it is.

    Secrets of other functions (``of_others``) are left out with a warning, and are no error:
    an older version may still need them there. Does nothing when there is no such variable.
    Raises ``ImproperlyConfigured`` with what has to be corrected, never with a secret in it.
    """
    source = environment.get(SOURCE, "")
    if not source:
        return
    if SECRET_ARN.fullmatch(source):
        found = _from_secrets_manager(source)
    elif PARAMETER_PATH.fullmatch(source):
        found = _from_parameter_store(source)
    else:
        raise ImproperlyConfigured(
            f"{SOURCE} is {source}: it has to be the path of parameters (/loanoffice/production) "
            "or the ARN of a secret in Secrets Manager."
        )
    strange = sorted(name for name in found if not VARIABLE.fullmatch(name))
    if strange:
        raise ImproperlyConfigured(
            f"{SOURCE} is {source}, and there is a {', '.join(strange)} in it, which is no name "
            "of a variable: capitals, digits and underscores."
        )
    if unwanted := sorted(of_others & found.keys()):
        logger.warning(
            "%s is %s, and there is a %s in it, which this function does not use. Remove it.",
            SOURCE,
            source,
            ", ".join(unwanted),
        )
    for name, value in found.items():
        if name not in of_others:
            environment.setdefault(name, value)


def _from_parameter_store(path: str) -> dict[str, str]:
    pages = _ask(
        "ssm",
        lambda client: list(
            client.get_paginator("get_parameters_by_path").paginate(Path=path, WithDecryption=True)
        ),
        source=path,
        needs="ssm:GetParametersByPath",
    )
    found = {
        parameter["Name"].rpartition("/")[2]: str(parameter["Value"])
        for page in pages
        for parameter in page["Parameters"]
    }
    if not found:
        raise ImproperlyConfigured(
            f"{SOURCE} is {path}, and no parameter is there. Put them there, as in "
            f"{path.rstrip('/')}/SECRET_KEY."
        )
    return found


def _from_secrets_manager(arn: str) -> dict[str, str]:
    answer = _ask(
        "secretsmanager",
        lambda client: client.get_secret_value(SecretId=arn),
        source=arn,
        needs="secretsmanager:GetSecretValue",
    )
    try:
        found = json.loads(answer.get("SecretString", ""))
    except ValueError:
        found = None  # the error must not show what the secret is
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise ImproperlyConfigured(
            f"{SOURCE} is {arn}, and what it holds is not a JSON object of strings: "
            '{"SECRET_KEY": "...", "DATABASE_URL": "..."}.'
        )
    return found


def _ask(
    service: Literal["ssm", "secretsmanager"], question: Any, *, source: str, needs: str
) -> Any:
    # Only here: a machine without this variable needs no AWS to start.
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    # A cold start has ten seconds. Many at once may be throttled, so it is asked again.
    config = Config(
        connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3}
    )
    try:
        return question(boto3.client(service, config=config))
    except (BotoCoreError, ClientError) as error:
        raise ImproperlyConfigured(
            f"{SOURCE} is {source}, and it cannot be read: {error} The function needs {needs} "
            "on it, kms:Decrypt on its key, and a way to the service from its network."
        ) from error
