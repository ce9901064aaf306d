"""What ties one request, its workflow and their log lines together. Pure."""

from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
execution_name: ContextVar[str] = ContextVar("execution_name", default="")
