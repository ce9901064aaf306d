"""Parse a JSON body strictly, so that two readers cannot understand it differently.

UTF-8 only; no name twice, no NaN or Infinity, no null characters or lone surrogates, not
nested deeply, an object at the top. A number becomes a ``Decimal``: money never goes
through a float. An error never repeats a value.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import IO, Any, NoReturn

from django.conf import settings
from django.http.request import UnreadablePostError
from django.utils.http import parse_header_parameters
from rest_framework.exceptions import UnsupportedMediaType, ValidationError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from partners.api.errors import BodyTooLarge, Malformed

DEEPEST = 16  # levels of nesting
LONGEST_NUMBER = 400  # characters
LONGEST_NAME = 100  # characters of a field's name that an error repeats
CHUNK = 64 * 1024  # bytes
CUT_SHORT = "The body ended before it was complete."


class StrictJSONParser(BaseParser):
    """Parse ``application/json`` to a ``dict``.

    Raises ``BodyTooLarge`` (413), ``UnsupportedMediaType`` (415) for a charset other than
    UTF-8, ``Malformed`` or ``ValidationError`` (400).
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        charset = parse_header_parameters(media_type or "")[1].get("charset", "utf-8")
        if charset.lower() not in {"utf-8", "utf8"}:
            raise UnsupportedMediaType(media_type or "", "JSON is read as UTF-8 only.")
        limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        request = (parser_context or {}).get("request")
        if request is not None and declared_length(request.META.get("CONTENT_LENGTH")) > limit:
            raise BodyTooLarge
        return decode(_read(stream, limit))


def raw_body(request: Request) -> bytes:
    """Read the body's bytes; a parser and others can read it again afterwards.

    Raises ``Malformed``, and Django's ``RequestDataTooBig`` for more than the limit.
    """
    try:
        return bytes(request.body)
    except UnreadablePostError as error:
        raise Malformed(CUT_SHORT) from error


def decode(raw: bytes) -> dict[str, Any]:
    """Parse a body's bytes to a ``dict``. Raises ``Malformed`` or ``ValidationError``."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("The body is not UTF-8.") from error
    if not text.strip():
        raise Malformed("The body is empty; send a JSON object.")
    if text.startswith("\ufeff"):
        raise Malformed("The body begins with a byte order mark; leave it out.")
    try:
        value = json.loads(
            text,
            parse_float=_number,
            parse_int=_number,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except RecursionError as error:
        raise Malformed("The body is nested too deeply.") from error
    except json.JSONDecodeError as error:
        raise Malformed(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from error
    if not isinstance(value, dict):
        raise Malformed("The body has to be a JSON object.")
    _check(value)
    return value


def name_shown(name: str) -> str:
    """Shorten a field's name for an error, always encodable."""
    shown = name[:LONGEST_NAME].encode("utf-8", "replace").decode("utf-8")
    return shown.replace("\0", "\N{REPLACEMENT CHARACTER}")


def declared_length(content_length: object) -> int:
    """Return the declared length of the body, in bytes; 0 when it is missing or invalid."""
    try:
        return int(str(content_length))
    except ValueError:
        return 0


def _read(stream: IO[Any], limit: int) -> bytes:
    """Read to the end, whatever length was declared; never more than just over ``limit``."""
    parts, size = [], 0
    try:
        while part := stream.read(min(CHUNK, limit + 1 - size)):
            parts.append(part)
            size += len(part)
            if size > limit:
                raise BodyTooLarge
    except UnreadablePostError as error:
        raise Malformed(CUT_SHORT) from error
    return b"".join(parts)


def _number(text: str) -> Decimal:
    if len(text) > LONGEST_NUMBER:
        raise Malformed("A number has too many digits.")
    try:
        return Decimal(text)
    except ArithmeticError as error:
        raise Malformed("A number is out of range.") from error


def _constant(name: str) -> NoReturn:
    raise Malformed(f"{name} is not JSON.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            shown = name_shown(name)
            raise Malformed(
                f'The name "{shown}" appears more than once.',
                {shown: ["This name appears more than once."]},
            )
        found[name] = value
    return found


def _check(body: dict[str, Any]) -> None:
    """Check every text of the body; errors are reported under the outermost name."""
    errors: dict[str, list[str]] = {}
    waiting: list[tuple[str, Any, int]] = []
    for name, value in body.items():
        waiting += [(name, name, 1), (name, value, 1)]
    while waiting:
        name, value, depth = waiting.pop()
        if depth > DEEPEST:
            raise Malformed("The body is nested too deeply.")
        if isinstance(value, str):
            if problem := _unusable(value):
                errors[name_shown(name)] = [problem]
        elif isinstance(value, dict):
            for inner, held in value.items():
                waiting += [(name, inner, depth + 1), (name, held, depth + 1)]
        elif isinstance(value, list):
            waiting += [(name, held, depth + 1) for held in value]
    if errors:
        raise ValidationError(errors)


def _unusable(text: str) -> str:
    if "\0" in text:
        return "Null characters are not allowed."
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "This text holds half a character (a lone surrogate)."
    return ""
