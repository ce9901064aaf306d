"""Make the database login that the product runs as, which owns nothing, and check it at start.

The owner of the tables can disable their triggers, so only ``manage`` (migrations) connects as
the owner. The web function and the durable functions connect as another login, which has exactly
what they need: rows that are kept are read and added, and nothing else. PostgreSQL only.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from audit.models import AppendOnlyModel
from audit.sealed_tables import REGISTERED

ALL = ("SELECT", "INSERT", "UPDATE", "DELETE")
ADDED = ("SELECT", "INSERT")
READ = ("SELECT",)
# Written by ``migrate`` alone.
OF_MIGRATE = ("django_migrations", "django_content_type", "auth_permission")
# Connections of this process whose login has been checked.
CHECKED: set[str] = set()


class LoginRefused(Exception):
    """The login cannot be made, or it would be able to change what is kept."""


class Login(NamedTuple):
    name: str
    password: str


def login_apply(login: Login) -> str:
    """Create the login or set its password, and give it these privileges and no others.

    The caller is connected as the owner of the tables. Doing it again changes nothing. Returns a
    sentence. Raises ``LoginRefused``, and ``DatabaseError`` when the caller may not create a role.
    """
    if connection.vendor != "postgresql":
        raise LoginRefused("SQLite has no logins: who can read the file is its owner.")
    connection.ensure_connection()
    with transaction.atomic(), connection.cursor() as cursor:
        said = _create(cursor, login)
        for statement in _statements(login.name):
            cursor.execute(statement)
        if faults := login_faults(connection, login.name):
            raise LoginRefused(
                f"{login.name} cannot be the login of the product: {'; '.join(faults)}."
            )
    return said


def privileges() -> dict[str, list[str]]:
    """Return what the login may do, by table: the rows that are kept are not changed."""
    tables = set(connection.introspection.django_table_names(only_existing=True))
    found = {table: list(ALL) for table in tables} | {table: list(READ) for table in OF_MIGRATE}
    for model in apps.get_models():
        if issubclass(model, AppendOnlyModel):
            found[model._meta.db_table] = list(ADDED)
    for name, table in REGISTERED.items():
        found[name] = list(ADDED)
        if table.closed_by:  # a draft is changed, and never deleted
            found[name].append("UPDATE")
        elif table.may_change:
            columns = (
                connection.ops.quote_name(str(field.column))
                for field in table.model._meta.concrete_fields
                if field.attname in table.may_change
            )
            found[name].append(f"UPDATE ({', '.join(columns)})")
    return found


def login_faults(database: BaseDatabaseWrapper, name: str | None = None) -> list[str]:
    """Return why a login could change what is kept; of this connection's own without ``name``."""
    with database.cursor() as cursor:
        if name is None:
            cursor.execute("SELECT session_user")
            name = str(cursor.fetchone()[0])
        cursor.execute(_FAULTS, {"name": name})
        row = cursor.fetchone()
    sentences = (
        "it is a superuser",
        "it may create roles",
        "it may create tables, also temporary ones",
        "it owns tables, or may become their owner",
        "it may TRUNCATE tables or make triggers",
    )
    return [said for said, is_so in zip(sentences, row or (), strict=True) if is_so]


def refuse_owner(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Close a connection whose login could change what is kept. For ``connection_created``.

    Asks once in a process. Raises ``ImproperlyConfigured``.
    """
    if settings.LOANOFFICE_DATABASE_OWNER or connection.vendor != "postgresql":
        return
    if connection.alias in CHECKED:
        return
    if faults := login_faults(connection):
        connection.close()
        raise ImproperlyConfigured(
            f"DATABASE_URL names a login that this process must not use: {'; '.join(faults)}. "
            "Only the function manage connects as the owner (LOANOFFICE_DATABASE_OWNER); make "
            "another login with database_login."
        )
    CHECKED.add(connection.alias)


def _create(cursor: Any, login: Login) -> str:
    quoted = connection.ops.quote_name(login.name)
    # Hashed here, because the server may log the statement.
    hashed = connection.connection.pgconn.encrypt_password(
        login.password.encode(), login.name.encode(), b"scram-sha-256"
    ).decode()
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [login.name])
    if cursor.fetchone():
        cursor.execute(f"ALTER ROLE {quoted} LOGIN PASSWORD '{hashed}'")
        return f"{login.name} is there; its password and its privileges are set."
    cursor.execute(
        f"CREATE ROLE {quoted} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT "
        f"PASSWORD '{hashed}'"
    )
    return f"{login.name} is made, with its privileges."


def _statements(name: str) -> Iterator[str]:
    """Yield what takes every privilege away and gives those that are needed, in a transaction."""
    quote = connection.ops.quote_name
    role = quote(name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema(), current_database()")
        schema, database = (quote(each) for each in cursor.fetchone() or ())
    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}"
    yield f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM {role}"
    yield f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, {role}"
    # A temporary table stands before the real one of its name.
    yield f"REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC, {role}"
    yield f"GRANT CONNECT ON DATABASE {database} TO {role}"
    yield f"GRANT USAGE ON SCHEMA {schema} TO {role}"
    for table, may in sorted(privileges().items()):
        yield f"GRANT {', '.join(may)} ON {quote(table)} TO {role}"


_FAULTS = """
SELECT
    (SELECT rolsuper FROM pg_roles WHERE rolname = %(name)s),
    (SELECT rolcreaterole FROM pg_roles WHERE rolname = %(name)s),
    has_schema_privilege(%(name)s, current_schema(), 'CREATE')
        OR has_database_privilege(%(name)s, current_database(), 'TEMPORARY'),
    bool_or(pg_has_role(%(name)s, relowner, 'MEMBER')),
    bool_or(has_table_privilege(%(name)s, c.oid, 'TRUNCATE, TRIGGER'))
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname = current_schema() AND relkind IN ('r', 'p')
"""
