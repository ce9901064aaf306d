"""Extend moto's Lambda with what a deploy needs."""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from tests.deploy.aws import running
from tests.deploy.aws.book import Book, Execution
from tests.deploy.aws.operations import success

LATEST = "$LATEST"
SOMEBODY_ELSES = base64.b64encode(b"PK\x05\x06" + bytes(18)).decode()  # an empty zip
QUALIFIED = re.compile(r"(/2015-03-31/functions/)function:([^:/]+):([^/]+)(.*)")

type Answer = tuple[int, dict[str, Any]]


@dataclass(frozen=True)
class Call:
    """A request to Lambda."""

    operation: str
    name: str  # of the function
    method: str
    path: str
    query: dict[str, Any]
    body: dict[str, Any] | None
    environ: dict[str, Any]  # WSGI's

    def told(self, name: str, default: Any = None) -> Any:
        return (self.body or {}).get(name, default)

    def get(self, tail: str, **query: str) -> "Call":
        """Another request about the same function, which only asks."""
        path = f"/2015-03-31/functions/{self.name}/{tail}"
        return replace(self, method="GET", path=path, query=query, body=None)


class Refused(Exception):
    def __init__(self, status: int, error: str, message: str) -> None:
        self.answer: Answer = (status, {"__type": error, "Type": "User", "message": message})
        super().__init__(message)


class Functions:
    """Lambda: moto's, and what it lacks."""

    def __init__(self, book: Book, moto: Callable[[Call], Answer], folder: Path) -> None:
        self.book = book
        self.moto = moto
        self.folder = folder
        self.durable: dict[str, dict[str, int]] = {}
        self.code: dict[tuple[str, str], bytes] = {}  # by function and version
        self.deleted: set[tuple[str, str]] = set()
        self.own = {
            "CreateFunction": self._create,
            "UpdateFunctionCode": self._update_code,
            "UpdateFunctionConfiguration": self._update_configuration,
            "PublishVersion": self._publish,
            "ListVersionsByFunction": self._list_versions,
            "DeleteFunction": self._delete,
            "ListDurableExecutionsByFunction": self._list_executions,
            "Invoke": self._invoke,
            "ListFunctionUrlConfigs": lambda _: (200, {"FunctionUrlConfigs": []}),
        }

    def answer(self, call: Call, *, url: str) -> Answer:
        """Answer a request; ``url`` is the stand-in's own."""
        if found := QUALIFIED.fullmatch(call.path):  # moto cannot route it
            path, query = found[1] + found[2] + found[4], {"Qualifier": found[3], **call.query}
            call = replace(call, path=path, query=query)
        if (call.name, call.query.get("Qualifier", LATEST)) in self.deleted:
            return Refused(404, "ResourceNotFoundException", f"No such version: {call.path}").answer
        try:
            status, told = self.own.get(call.operation, self.moto)(call)
        except Refused as refused:
            return refused.answer
        self._complete(call.name, told, url=url)
        # moto has its own mind about 200, 201 and 204.
        return (success(call.operation) if status < 300 else status), told

    def package_of(self, name: str, version: str) -> bytes:
        return self.code[name, version]

    # --- Code and versions -----------------------------------------------------------------

    def _create(self, call: Call) -> Answer:
        status, created = self.moto(call)
        if status == 201:
            if durable := call.told("DurableConfig"):
                self.durable[call.name] = durable
            self._keep_code(call, call.told("Code"), created)
        return status, created

    def _update_code(self, call: Call) -> Answer:
        status, updated = self.moto(call)
        if status == 200:
            self._keep_code(call, call.body or {}, updated)
            if self.book.is_overtaken(call.name):
                self.moto(replace(call, body={"ZipFile": SOMEBODY_ELSES}))
        return status, updated

    def _update_configuration(self, call: Call) -> Answer:
        if durable := call.told("DurableConfig"):
            if call.name not in self.durable:
                raise Refused(
                    400,
                    "InvalidParameterValueException",
                    "You cannot enable durable execution on an existing function.",
                )
            self.durable[call.name] = durable
        return self.moto(call)

    def _publish(self, call: Call) -> Answer:
        latest = self.moto(call.get("configuration"))[1]
        if call.told("CodeSha256", latest["CodeSha256"]) != latest["CodeSha256"]:
            raise Refused(400, "InvalidParameterValueException", "CodeSHA256 is different")
        status, published = self.moto(call)
        self.code.setdefault((call.name, published["Version"]), self.code[call.name, LATEST])
        return status, published

    def _list_versions(self, call: Call) -> Answer:
        status, listed = self.moto(call)
        listed["Versions"] = [
            version
            for version in listed.get("Versions", [])
            if (call.name, version["Version"]) not in self.deleted
        ]
        return status, listed

    def _delete(self, call: Call) -> Answer:
        version = call.query.get("Qualifier")
        if version is None:
            self.durable.pop(call.name, None)
            self.code = {key: code for key, code in self.code.items() if key[0] != call.name}
            self.deleted = {key for key in self.deleted if key[0] != call.name}
            return self.moto(call)
        aliases = self.moto(call.get("aliases"))[1]
        for alias in aliases["Aliases"]:
            if alias["FunctionVersion"] == version:
                raise Refused(
                    409, "ResourceConflictException", f"alias {alias['Name']} is at {version}"
                )
        # moto would give the number to the next version.
        self.deleted.add((call.name, version))
        return 204, {}

    def _keep_code(self, call: Call, told: dict[str, Any], answer: dict[str, Any]) -> None:
        if "ZipFile" in told:
            code = base64.b64decode(told["ZipFile"])
        else:
            bucket = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
            code = bucket.get_object(told["S3Bucket"], told["S3Key"]).value
        self.code[call.name, LATEST] = code
        if call.told("Publish"):
            self.code.setdefault((call.name, answer["Version"]), code)

    def _complete(self, name: str, told: dict[str, Any], *, url: str) -> None:
        """Add to a configuration the fields that moto leaves out."""
        for config in (told, told.get("Configuration"), *told.get("Versions", [])):
            if isinstance(config, dict) and "FunctionArn" in config and "Runtime" in config:
                config.update({"DurableConfig": self.durable[name]} if name in self.durable else {})
        if "Location" in told.get("Code", {}):
            version = told["Configuration"]["Version"]
            told["Code"]["Location"] = f"{url}/_stand_in/code/{name}/{version}"

    # --- Executions and invocations ----------------------------------------------------------

    def _list_executions(self, call: Call) -> Answer:
        if (call.name, LATEST) not in self.code:
            raise Refused(404, "ResourceNotFoundException", f"Function not found: {call.name}")
        statuses = call.query.get("Statuses", [])
        found = [
            self._listed(execution)
            for execution in self.book.executions
            if execution.function == call.name
            and (not statuses or execution.status in statuses)
            and call.query.get("Qualifier", execution.version) == execution.version
        ]
        start = int(call.query.get("Marker", 0))
        end = start + min(self.book.page, int(call.query.get("MaxItems", 100)))
        more = {"NextMarker": str(end)} if end < len(found) else {}
        self.book.list_was_read()
        return 200, {"DurableExecutions": found[start:end], **more}

    def _listed(self, execution: Execution) -> dict[str, Any]:
        arn = (
            f"arn:aws:lambda:ca-central-1:{DEFAULT_ACCOUNT_ID}:function:"
            f"{execution.function}:{execution.version}"
        )
        return {
            "DurableExecutionArn": f"{arn}/durable-execution/{execution.name}/1",
            "DurableExecutionName": execution.name,
            "FunctionArn": arn,
            "Status": execution.status,
            "StartTimestamp": 1_790_000_000,
        }

    def _invoke(self, call: Call) -> Answer:
        version = call.query.get("Qualifier", LATEST)
        if call.name in self.durable and version == LATEST:
            raise Refused(400, "InvalidParameterValueException", "A durable function needs one")
        if (answer := self.book.next_answer()) is not None:
            return 200, answer
        status, config = self.moto(call.get("configuration", Qualifier=version))
        if status != 200:
            return status, config
        package = running.unpack(self.code[call.name, version], self.folder)
        environment = {
            **config["Environment"]["Variables"],
            **self.book.environment,
            "AWS_LAMBDA_FUNCTION_NAME": call.name,
            "AWS_LAMBDA_FUNCTION_VERSION": version,
        }
        return 200, running.run(package, config["Handler"], json.dumps(call.body), environment)
