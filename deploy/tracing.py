"""Give every function of a stage the layer with OpenTelemetry, or none of them.

``tracing_layer`` in ``zappa_settings.json`` is the ARN of AWS's ADOT layer for Python, of the
stage's region and architecture; it has no default. The package itself brings no OpenTelemetry.
"""

import re
from collections.abc import Iterator
from typing import Any

SETTING = "tracing_layer"
ARN = re.compile(r"arn:aws[a-z-]*:lambda:(?P<region>[a-z0-9-]+):\d{12}:layer:[\w-]+:\d+")
VARIABLES = {
    # The layer's program, which starts the runtime with a provider and its exporter.
    "AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-instrument",
    # The product instruments what it uses, by the layer's libraries: ``core.traces.provider``.
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*",
    # Only what Lambda says begins or continues a trace, nothing that a client sends.
    "OTEL_PROPAGATORS": "xray",
}


def switch(cli: Any) -> None:
    """Set what the web function and its companions need to trace, as the stage's settings say."""
    layer = cli.stage_config.get(SETTING)
    if layer:
        cli.layers = [*(cli.layers or []), layer]
        cli.aws_environment_variables = {**cli.aws_environment_variables, **VARIABLES}
        cli.xray_tracing = cli.zappa.xray_tracing = True
        return
    own = {*cli.aws_environment_variables}

    def forget(params: dict[str, Any], **_: Any) -> None:
        """Drop what Zappa keeps of earlier deploys: without the layer no function would start."""
        variables = params.get("Environment", {}).get("Variables", {})
        for name in VARIABLES.keys() - own:
            variables.pop(name, None)

    cli.zappa.lambda_client.meta.events.register(
        "provide-client-params.lambda.UpdateFunctionConfiguration", forget
    )


def faults(config: dict[str, Any]) -> Iterator[str]:
    """Find what is wrong with the layer that a stage names."""
    layer = config.get(SETTING)
    if not layer:
        return
    found = ARN.fullmatch(str(layer))
    if found is None:
        yield f"{SETTING} is {layer}: it has to be the ARN of one version of a layer."
    elif found["region"] != config.get("aws_region"):
        yield f"{SETTING} is a layer in {found['region']}, and the stage is elsewhere."
