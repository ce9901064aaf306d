"""Make addresses of the office for what is read outside of a request: e-mails and callbacks.

They begin with ``SITE_URL``, which may end with the path of a stage. ``path_here`` is for the pages
of a request. A path of ``reverse`` begins
with that too while a request to the stage is answered, and without it in the sweep.
"""

from django.conf import settings
from django.urls import get_script_prefix


def site_url(path: str) -> str:
    """Return the address of a path of the office, as ``/admin/``, without a stage before it."""
    return f"{settings.SITE_URL}{path}"


def site_url_of(reversed_path: str) -> str:
    """Return the address of a path that ``reverse`` made."""
    return site_url(f"/{reversed_path.removeprefix(get_script_prefix())}")


def path_here(path: str) -> str:
    """Return a path of the office with the stage that this request was made to before it."""
    return f"{get_script_prefix()}{path.removeprefix('/')}"
