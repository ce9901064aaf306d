"""The blocks of code in the partners' guide."""

import re

from django.conf import settings

GUIDE = (settings.BASE_DIR / "docs" / "partners.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
