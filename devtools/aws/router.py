"""The one endpoint of AWS: durable operations go to the embedded engine, all else to MiniStack.

MiniStack's durable functions ignore the names of executions and never resume, so that engine
takes their place. The command ``zappa`` and the functions see one AWS, with both.
"""

import re
from collections.abc import Callable
from urllib.parse import parse_qs, unquote, urlsplit

from devtools.aws.names import ALIAS, FRAUD_CHECK, LOAN_APPROVAL
from devtools.aws.proxy import Answer, Destination, Proxy

# Every operation of durable executions and their callbacks has the version of the API.
DURABLE = "/2025-12-01/"
LIST = re.compile(r"/2025-12-01/functions/[^/]+/durable-executions")
INVOCATION = re.compile(r"/2015-03-31/functions/(?P<function>[^/]+)/invocations")
# Functions of which the engine runs the version that is live.
OF_THE_ENGINE = frozenset({LOAN_APPROVAL, FRAUD_CHECK})


def router(
    port: int, *, emulator: int, engine: int, has_begun: Callable[[], bool] = lambda: True
) -> Proxy:
    """Return the endpoint on a port, 0 for a free one.

    Until the engine ``has_begun`` there are no executions: the first deploy asks for them.
    """

    def choose(path: str) -> Destination | Answer:
        if LIST.fullmatch(urlsplit(path).path) and not has_begun():
            return Answer(200, {"DurableExecutions": []})
        if is_for_the_engine(path):
            return Destination(engine, path)
        # Zappa asks so for a function, which Lambda takes for a part of its ARN.
        return Destination(emulator, path.replace("/functions/function:", "/functions/"))

    return Proxy(port, choose)


def is_for_the_engine(path: str) -> bool:
    """Return true for a durable operation, and an invocation of what the engine runs."""
    parts = urlsplit(path)
    if parts.path.startswith(DURABLE):
        return True
    found = INVOCATION.fullmatch(parts.path)
    if found is None:
        return False
    name, _, alias = unquote(found["function"]).rpartition("function:")[2].partition(":")
    return name in OF_THE_ENGINE and ALIAS in {alias, *parse_qs(parts.query).get("Qualifier", [])}
