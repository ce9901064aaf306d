"""The OpenAPI document, as far as the serializers do not say it.

``security`` registers itself with drf-spectacular when it is imported.
"""

from applications.api.openapi import security

__all__ = ["security"]
