"""Every permission that code or a template asks for is one that there is.

A name that is misspelt, or of an app that the model left, refuses everybody but superusers.
"""

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Permission

from accounts.roles import Role

LABELS = "|".join(sorted({config.label for config in apps.get_app_configs()}))
IN_CODE = re.compile(rf"""["']((?:{LABELS})\.(?:view|add|change|delete)_[a-z]+)["']""")
IN_TEMPLATES = re.compile(r"\bperms\.([a-z_]+\.[a-z_]+)")


def named() -> set[str]:
    found: set[str] = set()
    for config in apps.get_app_configs():
        folder = Path(config.path)
        if folder.parent != settings.BASE_DIR:
            continue
        for path in folder.rglob("*.py"):
            found |= set(IN_CODE.findall(path.read_text()))
        for path in folder.rglob("*.html"):
            found |= set(IN_TEMPLATES.findall(path.read_text()))
    return found


@pytest.mark.django_db
def test_every_permission_that_is_named_exists() -> None:
    known = {
        f"{label}.{codename}"
        for label, codename in Permission.objects.values_list("content_type__app_label", "codename")
    }

    assert named()
    assert named() - known == set()
    assert {name for role in Role for name in role.grants} <= known
