"""Messages between a test and the stand-in for AWS."""

import threading
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Fault:
    """The next requests of this kind are refused instead of served."""

    operation: str
    status: int
    error: str
    message: str
    times: int = 1
    function: str = ""  # any function when empty


@dataclass
class Execution:
    """A durable execution that the stand-in says there is."""

    function: str
    version: str
    name: str
    status: str = "RUNNING"


@dataclass
class Request:
    service: str
    operation: str
    subject: str  # the function, role, bucket or rule that it is about
    query: dict[str, str]
    body: Any
    status: int = 0
    error: str = ""

    def __str__(self) -> str:
        line = f"{self.service:15} {self.operation:34} {self.subject}"
        if qualifier := self.query.get("Qualifier"):
            line += f":{qualifier}"
        return f"{line}  -> {self.status} {self.error}".rstrip()


@dataclass
class Book:
    """All state that is not moto's."""

    faults: list[Fault] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)
    # What a function's host adds to its environment.
    environment: dict[str, str] = field(default_factory=dict)
    # What the next invocations answer; the real handler runs when there is nothing.
    answers: list[dict[str, Any]] = field(default_factory=list)
    page: int = 1000  # executions on one page
    # Functions whose code somebody else changes right after its next update.
    overtaken: list[str] = field(default_factory=list)
    code_is_lost: bool = False  # it cannot be fetched any more
    # An execution that begins when the list of executions has been read once.
    begins_later: list[Execution] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)  # whatever was not meant for AWS
    lock: threading.Lock = field(default_factory=threading.Lock)

    def told(self, news: dict[str, Any]) -> None:
        """Take over what a test says."""
        with self.lock:
            self.faults += [Fault(**each) for each in news.get("faults", [])]
            if "executions" in news:
                self.executions = [Execution(**each) for each in news["executions"]]
            self.environment |= news.get("environment", {})
            self.answers += news.get("answers", [])
            self.page = news.get("page", self.page)
            self.overtaken += news.get("overtaken", [])
            self.code_is_lost = news.get("code_is_lost", self.code_is_lost)
            self.begins_later += [Execution(**each) for each in news.get("begins_later", [])]
            if news.get("forget_answers"):
                self.answers = []
            if news.get("forget_requests"):
                self.requests, self.outside = [], []

    def fault(self, request: Request) -> Fault | None:
        """The fault that is meant for this request, used up by one."""
        with self.lock:
            for fault in self.faults:
                fits = fault.function in {"", request.subject}
                if fits and fault.operation == request.operation and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None

    def next_answer(self) -> dict[str, Any] | None:
        with self.lock:
            return self.answers.pop(0) if self.answers else None

    def is_overtaken(self, function: str) -> bool:
        """Return whether a competing change happens now; true only once."""
        with self.lock:
            if function in self.overtaken:
                self.overtaken.remove(function)
                return True
        return False

    def list_was_read(self) -> None:
        with self.lock:
            self.executions += self.begins_later
            self.begins_later = []

    def written(self, request: Request) -> None:
        with self.lock:
            self.requests.append(request)

    def read(self) -> dict[str, Any]:
        with self.lock:
            unused = [fault for fault in self.faults if fault.times > 0]
            return {
                "requests": [asdict(each) for each in self.requests],
                "outside": self.outside,
                "unused": [asdict(each) for each in unused] + self.answers,
            }
