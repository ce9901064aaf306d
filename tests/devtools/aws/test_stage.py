"""The emulated stage is one that a deploy takes, and its engine has what the package leaves out."""

import io
import json
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from deploy.roles import roles_of, stage_config
from deploy.stage import faults
from devtools.aws import engine
from devtools.aws.names import ACCOUNT, LOAN_APPROVAL, REPOSITORY, STAGE, WEB, Ports
from devtools.aws.stage import write_settings
from devtools.loopback_server import LoopbackServer

KEY = f"arn:aws:kms:ca-central-1:{ACCOUNT}:key/1"


@pytest.fixture
def config(tmp_path: Path) -> dict[str, object]:
    (tmp_path / "zappa_settings.json").write_text((REPOSITORY / "zappa_settings.json").read_text())
    write_settings(tmp_path, ports=Ports(8443, 1, 2, 3), key=KEY, data=tmp_path)
    stages = json.loads((tmp_path / "zappa_settings.json").read_text())
    assert set(stages) == {"production", "staging", STAGE}
    return stage_config(stages, STAGE)


def test_stage_has_no_fault_and_its_own_names(config: dict[str, object]) -> None:
    assert [*faults(config)] == []
    roles = roles_of(STAGE, config, account=ACCOUNT, partition="aws")
    assert {WEB, LOAN_APPROVAL} < {role.name for role in roles}


def test_every_variable_that_production_gives_its_functions_is_set(
    config: dict[str, object],
) -> None:
    """A variable that is added to the stages has to be one of the emulated stage too."""
    staging = json.loads((REPOSITORY / "zappa_settings.json").read_text())["staging"]
    own = config["aws_environment_variables"]
    assert staging["aws_environment_variables"].keys() - own.keys() == {"EMAIL_PORT"}  # type: ignore[attr-defined]


def test_package_gets_beside_it_what_lambda_does_on_aws(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as package:
        package.writestr("functions/loan_approval.py", "live = True\n")
    (tmp_path / "package.zip").write_bytes(packed.getvalue())
    server = LoopbackServer(partial(SimpleHTTPRequestHandler, directory=tmp_path))
    server.start()
    try:
        task = engine.unpack(f"{server.url}/package.zip", tmp_path / "task", checkout=REPOSITORY)
        with pytest.raises(OSError, match="does not give the package: 404"):
            engine.unpack(f"{server.url}/none.zip", tmp_path / "none", checkout=REPOSITORY)
    finally:
        server.stop()
    assert (task / "functions" / "loan_approval.py").read_text() == "live = True\n"
    assert (task / "functions" / "local" / "engine.py").is_file()
    assert (task / "functions" / "management" / "commands" / "durable_engine.py").is_file()
    assert "LOANOFFICE_FUNCTIONS" in (task / f"{engine.SETTINGS}.py").read_text()
