"""Recognise a database that another version of the product made, before anything migrates it."""

from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.models import Model


def is_of_another_version() -> bool:
    """Return true when it has migrations or tables of our apps that this version lacks.

    Or lacks tables or columns of an app whose migrations are all applied: until the first release
    an initial migration changes in place.
    """
    ours = [c for c in apps.get_app_configs() if Path(c.path).parent == settings.BASE_DIR]
    labels = {config.label for config in ours}
    loader = MigrationLoader(connection)
    applied = {key for key in loader.applied_migrations if key[0] in labels}
    if applied - loader.disk_migrations.keys():
        return True
    pending = {label for label, name in loader.disk_migrations.keys() - applied if label in labels}
    models = [m for config in ours for m in config.get_models(include_auto_created=True)]
    known = {model._meta.db_table for model in models}
    prefixes = tuple(f"{label}_" for label in labels)
    tables = {*connection.introspection.table_names()}
    if any(name.startswith(prefixes) and name not in known for name in tables):
        return True
    return any(
        model._meta.db_table not in tables or _columns(model) != _existing_columns(model)
        for model in models
        if not model._meta.proxy and model._meta.app_label not in pending
    )


def _columns(model: type[Model]) -> set[str]:
    return {str(field.column) for field in model._meta.local_concrete_fields}


def _existing_columns(model: type[Model]) -> set[str]:
    with connection.cursor() as cursor:
        found = connection.introspection.get_table_description(cursor, model._meta.db_table)
    return {column.name for column in found}
