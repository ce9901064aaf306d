"""Convert requests and responses as API Gateway does."""

import base64
import json
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.deploy.package.build import DOMAIN
from tests.deploy.package.runtime import Function


class Answer:
    def __init__(self, told: dict[str, Any]) -> None:
        self.status: int = told["statusCode"]
        # Of two headers with one name the last; cookies are read from ``cookies``.
        self.headers = {
            name.lower(): values[-1] for name, values in told["multiValueHeaders"].items()
        }
        self.cookies: list[str] = told["multiValueHeaders"].get("Set-Cookie", [])
        body = told.get("body", "")
        self.is_base64: bool = told.get("isBase64Encoded", False)
        self.text = base64.b64decode(body).decode() if self.is_base64 else body

    def json(self) -> Any:
        return json.loads(self.text)


class Caller:
    """Somebody outside, who keeps cookies and sends these headers with each request.

    ``site`` is the domain, or the address that API Gateway gives the stage.
    """

    def __init__(self, web: Function, *, site: str = f"https://{DOMAIN}", **headers: str) -> None:
        self.web = web
        self.site = site
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.cookies: dict[str, str] = {}

    def get(self, path: str, **headers: str) -> Answer:
        return self._ask("GET", path, "", headers)

    def head(self, path: str) -> Answer:
        return self._ask("HEAD", path, "", {})

    def post_json(self, path: str, body: Any, **headers: str) -> Answer:
        sent = {"Content-Type": "application/json", **headers}
        return self._ask("POST", path, json.dumps(body), sent)

    def post_form(self, path: str, body: dict[str, str]) -> Answer:
        sent = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Referer": f"{self.site}{path}",
        }
        return self._ask("POST", path, urlencode(body), sent)

    def _ask(self, method: str, path: str, body: str, headers: dict[str, str]) -> Answer:
        sent = {
            "Host": urlsplit(self.site).netloc,
            "X-Forwarded-For": "203.0.113.7, 198.51.100.1",
            "X-Forwarded-Port": "443",
            "X-Forwarded-Proto": "https",
            **self.headers,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = Answer(self.web.invoke(event(method, path, body, sent)))
        for line in answer.cookies:
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return answer


def event(method: str, path: str, body: str, headers: dict[str, str]) -> dict[str, Any]:
    """A request of a REST API with proxy integration, as it is documented."""
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "stage": "production",
            "httpMethod": method,
            "path": path,
            "protocol": "HTTP/1.1",
            "identity": {"sourceIp": "203.0.113.7", "userAgent": "test"},
            "requestId": "11111111-2222-3333-4444-555555555555",
        },
        "body": body or None,
        "isBase64Encoded": False,
    }
