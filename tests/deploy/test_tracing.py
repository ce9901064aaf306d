"""Traces on AWS: the layer, its variables and its permission, for all functions or for none."""

from typing import Any

import pytest

from deploy.roles import roles_of
from deploy.tracing import VARIABLES, faults
from tests.deploy.office import (
    COMPANIONS,
    WEB,
    Aws,
    Office,
    filled_in,
    packed,
    settings_as_they_are,
)

LAYER = "arn:aws:lambda:ca-central-1:615299751070:layer:AWSOpenTelemetryDistroPython:21"


def tracing_of(configuration: dict[str, Any]) -> tuple[list[str], set[str], str]:
    layers = [each["Arn"] for each in configuration.get("Layers", [])]
    variables = configuration["Environment"]["Variables"]
    return layers, variables.keys() & VARIABLES.keys(), configuration["TracingConfig"]["Mode"]


def test_layer_is_given_to_all_functions_and_taken_from_all_again(office: Office, aws: Aws) -> None:
    # In place of AWS's own layer, which the stand-in does not have.
    layer = aws.client("lambda").publish_layer_version(
        LayerName="adot", Content={"ZipFile": packed("a layer")}
    )["LayerVersionArn"]
    office.save_settings(tracing_layer=layer)
    office.ship("deploy")
    for function in (WEB, *COMPANIONS):
        assert tracing_of(aws.configuration(function)) == ([layer], {*VARIABLES}, "Active")
        variables = aws.configuration(function)["Environment"]["Variables"]
        assert variables["AWS_LAMBDA_EXEC_WRAPPER"] == "/opt/otel-instrument"

    # Zappa keeps the variables that a function has. This one starts no function without its layer.
    office.save_settings(tracing_layer="")
    office.ship("update")
    for function in (WEB, *COMPANIONS):
        assert tracing_of(aws.configuration(function)) == ([], set(), "Active")


@pytest.mark.parametrize(
    ("layer", "fault"),
    [
        ("", None),
        (LAYER, None),
        (LAYER.rpartition(":")[0], "has to be the ARN of one version of a layer"),
        (LAYER.replace("ca-central-1", "us-east-1"), "is a layer in us-east-1"),
    ],
)
def test_layer_that_cannot_be_used_is_named_before_anything_is_done(
    layer: str, fault: str | None
) -> None:
    found = list(faults({"aws_region": "ca-central-1", "tracing_layer": layer}))
    assert [fault in each for each in found if fault] == [True] * bool(fault)
    assert len(found) == bool(fault)


def test_only_a_stage_with_the_layer_may_write_the_figures_of_its_traces() -> None:
    config = filled_in(settings_as_they_are())["production"]
    for layer, expected in (("", 0), (LAYER, 4)):
        stage = {**config, "tracing_layer": layer}
        roles = roles_of("production", stage, account="123456789012", partition="aws")
        allowed = [
            statement["Resource"]
            for role in roles
            for statement in role.policy["Statement"]
            if statement["Sid"] == "SendFiguresOfTraces"
        ]
        assert len(allowed) == expected
        assert {resource.rpartition("log-group:")[2] for resource in allowed} <= {
            "/aws/application-signals/data:*"
        }
