"""Read and check what a Zappa stage says about the companions.

``cli`` is Zappa's own object of the running command, here and in the other modules.
Nothing in this package imports the product: it runs in the environment of the deploy.
"""

import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from click import ClickException

from deploy import alarms, tracing

ALIAS = "live"
SECRETS = "LOANOFFICE_SECRETS"
FUNCTION = "LOANOFFICE_FUNCTION"
NOT_FILLED_IN = re.compile(r"<[a-z-]+>")
SECRET = re.compile(
    r"(^SECRET_KEY|^SECRET_KEY_FALLBACKS|DATABASE_URL|PASSWORD|_TOKEN|_SECRET|CREDENTIALS)$"
)
BUILDING = ("deploy", "update", "package")


@dataclass(frozen=True)
class Companion:
    """A function from the web function's package. Its role has the function's name."""

    function: str
    handler: str
    timeout: int  # seconds
    memory_size: int  # MB
    environment: dict[str, str] = field(default_factory=dict)
    # ``ExecutionTimeout`` (seconds), ``RetentionPeriodInDays`` and, if there is one, ``KMSKeyArn``
    # of a durable function: the key encrypts its inputs, results and checkpoints.
    durable: dict[str, Any] | None = None
    # Management commands that have to succeed in it before anything goes live.
    before_live: tuple[str, ...] = ()


def companions(config: dict[str, Any], lambda_name: str) -> tuple[Companion, ...]:
    """Return the companions that a stage's settings name, in their order."""
    return tuple(
        Companion(
            function=f"{lambda_name}-{settings['name']}",
            handler=settings["handler"],
            timeout=settings["timeout_seconds"],
            memory_size=settings["memory_size"],
            environment=_environment(config, settings),
            durable=settings.get("durable"),
            before_live=tuple(settings.get("before_live", ())),
        )
        for settings in config.get("companions", [])
    )


def _environment(config: dict[str, Any], settings: dict[str, Any]) -> dict[str, str]:
    """The variables of a companion that differ; one with ``own_secrets`` reads no other's.

    Its parameters stand beside the stage's, not below: ``/loanoffice/production-manage``. The
    product knows by the name of the function which secrets it has.
    """
    own: dict[str, str] = {FUNCTION: settings["name"], **settings.get("environment", {})}
    path = config.get("aws_environment_variables", {}).get(SECRETS, "")
    if not settings.get("own_secrets") or SECRETS in own or not path.startswith("/"):
        return own
    return {SECRETS: f"{path.rstrip('/')}-{settings['name']}", **own}


def companions_of(cli: Any) -> tuple[Companion, ...]:
    """Return the companions of the stage that the command is for."""
    return companions(cli.stage_config, cli.lambda_name)


def refuse_invalid_settings(cli: Any) -> None:
    """Raise ``ClickException`` with everything that is wrong with the stage's settings."""
    found = [*faults(cli.stage_config)]
    if cli.command in BUILDING and not (cli.vargs or {}).get("zip"):
        found += _faults_of_this_machine(runtime=cli.runtime, architecture=cli.architecture)
    if (cli.vargs or {}).get("docker_image_uri"):
        found.append(
            "The functions are made from one zip package: --docker-image-uri is not for it."
        )
    refuse(cli.api_stage, found)


def refuse(stage: str, found: list[str]) -> None:
    """Raise ``ClickException`` with these faults, when there are any."""
    if found:
        lines = "\n".join(f"  - {fault}" for fault in found)
        raise ClickException(f"Nothing was done. Stage {stage} cannot work:\n{lines}")


def faults(config: dict[str, Any]) -> Iterator[str]:
    """Find what cannot work in a stage's settings, whatever the command."""
    environment = config.get("aws_environment_variables", {})
    for where in sorted(_placeholders(config)):
        yield f"zappa_settings.json: {where} still has to be filled in."
    places = {"aws_environment_variables": environment} | {
        f"companions: {settings['name']}": settings.get("environment", {})
        for settings in config.get("companions", [])
    }
    for place, variables in places.items():
        for name in sorted(filter(SECRET.search, variables)):
            yield (
                f"{place}: {name} is a secret, and whoever may look at the function "
                "can read it there. Keep it under what LOANOFFICE_SECRETS names."
            )
    if config.get("environment_variables"):
        yield (
            "environment_variables go into the package as plain text, and only the web function "
            "reads them. Use aws_environment_variables."
        )
    key = environment.get("MEDIA_KMS_KEY")
    if key and not NOT_FILLED_IN.search(key) and not key.startswith("arn:"):
        yield f"MEDIA_KMS_KEY is {key}: the functions' policies need the key's whole ARN."
    for settings in config.get("companions", []):
        key = settings.get("durable", {}).get("KMSKeyArn", "arn:")
        if not NOT_FILLED_IN.search(key) and not key.startswith("arn:"):
            yield (
                f"companions: {settings['name']} has the KMSKeyArn {key}: the functions' policies "
                "need the key's whole ARN."
            )
        own = SECRETS in _environment(config, settings)
        if settings.get("own_secrets") and environment.get(SECRETS) and not own:
            yield (
                f"companions: {settings['name']} has own_secrets. Name the ARN of its secret in "
                f"{SECRETS} of its environment; that of the stage is for the other functions."
            )
    yield from _shared_secrets(config)
    yield from alarms.faults(config)
    yield from tracing.faults(config)
    if config.get("slim_handler"):
        yield "slim_handler leaves the code out of the package, and all functions run from it."


def _shared_secrets(config: dict[str, Any]) -> Iterator[str]:
    """Functions that read another one's secrets: the same ones, or a path below theirs."""
    stage = config.get("aws_environment_variables", {}).get(SECRETS, "")
    known = {"the web function": stage.rstrip("/")} if stage else {}
    for settings in config.get("companions", []):
        own = _environment(config, settings).get(SECRETS, "").rstrip("/")
        if settings.get("own_secrets") and not own:
            continue  # said already
        own = own or stage.rstrip("/")
        for other, path in known.items():
            if f"{own}/".startswith(f"{path}/") or f"{path}/".startswith(f"{own}/"):
                yield (
                    f"companions: {settings['name']} reads {own}, and {other} reads {path}. "
                    "Each function has its own secrets, none below another's: set own_secrets."
                )
        if own:
            known[settings["name"]] = own


def _placeholders(settings: Any, where: str = "") -> Iterator[str]:
    """The places where the settings still have a ``<placeholder>``."""
    if isinstance(settings, dict):
        for key, value in settings.items():
            yield from _placeholders(value, f"{where}.{key}" if where else key)
    elif isinstance(settings, list):
        for value in settings:
            yield from _placeholders(value, where)
    elif isinstance(settings, str) and (found := NOT_FILLED_IN.search(settings)):
        yield f"{where} ({found[0]})"


def _faults_of_this_machine(*, runtime: str, architecture: str) -> Iterator[str]:
    """The package takes the binaries of the environment that it is built in."""
    here = f"python{sys.version_info.major}.{sys.version_info.minor}"
    if here != runtime:
        yield f"The package is for {runtime}, and this is {here}: make .venv-deploy with {runtime}."
    if (sys.platform, platform.machine()) != ("linux", architecture):
        yield (
            f"The package is for Linux on {architecture}, and this is {platform.system()} on "
            f"{platform.machine()}: build it there (CI does) and use --zip."
        )
