"""Recognise a database that another version of the product made, before anything migrates it."""

from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader


def is_of_another_version() -> bool:
    """Return true when it has migrations or tables of our apps that this version lacks."""
    ours = [c for c in apps.get_app_configs() if Path(c.path).parent == settings.BASE_DIR]
    labels = {config.label for config in ours}
    loader = MigrationLoader(connection)
    applied = {key for key in loader.applied_migrations if key[0] in labels}
    if applied - loader.disk_migrations.keys():
        return True
    known = {
        model._meta.db_table
        for config in ours
        for model in config.get_models(include_auto_created=True)
    }
    prefixes = tuple(f"{label}_" for label in labels)
    tables = connection.introspection.table_names()
    return any(name.startswith(prefixes) and name not in known for name in tables)
