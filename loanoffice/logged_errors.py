"""Describe exceptions in log lines without personal data.

What an exception says may quote what it could not read: a name, a row, a whole address book. So the
words are kept of our own errors, which carry references and facts, and of the few kinds below whose
words are about code or a connection. Of any other only the class and the places in the code are
logged; of an error of the database also the constraint and the SQLSTATE.
"""

import traceback

import django.db
from django.core.exceptions import ImproperlyConfigured

OWN = frozenset(
    {
        "accounts",
        "applications",
        "audit",
        "core",
        "deploy",
        "devtools",
        "functions",
        "lending",
        "loanoffice",
        "partners",
        "reviews",
        "webhooks",
        "workflows",
    }
)
# Exactly these: a subclass may say more, as those of ``smtplib`` do, which are ``OSError``.
ABOUT_CODE: frozenset[type[BaseException]] = frozenset(
    {
        AttributeError,
        ImportError,
        ImproperlyConfigured,
        MemoryError,
        ModuleNotFoundError,
        NameError,
        NotImplementedError,
        RecursionError,
        RuntimeError,
        TypeError,
        UnboundLocalError,
    }
)
ABOUT_A_CONNECTION: tuple[type[BaseException], ...] = (
    django.db.OperationalError,
    django.db.InterfaceError,
)
# Of botocore, with their subclasses; its others quote parameters.
OF_AWS = frozenset({"ClientError", "EndpointConnectionError"})
STORED_ERROR = "ErrorObject"  # of the durable SDK
MOST = 500  # characters of what an exception says


def described(error: BaseException) -> str:
    """Return the class of an exception and what of its words may be logged."""
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ != "builtins":
        name = f"{kind.__module__}.{name}"
    words = _words(error)[:MOST]
    return f"{name}: {words}" if words else name


def shown(value: object) -> object:
    """Return a value of a log line; an error, or what the durable SDK stores of one, described."""
    if isinstance(value, BaseException):
        return described(value)
    if type(value).__name__ == STORED_ERROR:
        return str(getattr(value, "type", ""))
    return value


def traceback_of(error: BaseException) -> str:
    """Return the traceback of an exception and of what caused it, as Python prints them."""
    parts: list[str] = []
    link, seen = "", set[int]()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        places = "".join(traceback.format_tb(current.__traceback__))
        parts.append(f"Traceback (most recent call last):\n{places}{described(current)}{link}")
        if current.__cause__ is not None:
            current, link = current.__cause__, "\n\nwas the direct cause of:\n"
        elif current.__suppress_context__:
            current = None
        else:
            current, link = current.__context__, "\n\nwas being handled when this was raised:\n"
    return "\n".join(reversed(parts))


def _words(error: BaseException) -> str:
    kind = type(error)
    if isinstance(error, ABOUT_A_CONNECTION):
        return str(error).partition("\n")[0]  # the rest may be values
    if isinstance(error, django.db.Error):
        return _of_the_database(error)
    if isinstance(error, BaseExceptionGroup):
        return ", ".join(described(each) for each in error.exceptions)
    if kind.__module__.startswith("aws_durable_execution_sdk_python."):
        return str(getattr(error, "error_type", ""))  # it has the words of another error
    if kind.__module__.partition(".")[0] in OWN:
        return str(getattr(error, "for_log", error))
    is_of_aws = any(
        base.__module__ == "botocore.exceptions" and base.__name__ in OF_AWS for base in kind.mro()
    )
    is_of_the_system = isinstance(error, OSError) and kind.__module__ in {"builtins", "socket"}
    return str(error) if kind in ABOUT_CODE or is_of_aws or is_of_the_system else ""


def _of_the_database(error: BaseException) -> str:
    """Return the constraint and the code of an error, never the row that it quotes."""
    cause = error.__cause__
    facts = [getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)]
    facts += [getattr(getattr(cause, "diag", None), "constraint_name", None)]
    if getattr(cause, "sqlite_errorname", "").startswith("SQLITE_CONSTRAINT"):
        facts.append(str(error))  # names of columns only
    return ", ".join(str(fact) for fact in facts if fact)
