"""The introduction of the OpenAPI document."""

from typing import Any

INTRODUCTION = """
Submit loan applications and follow them to funding. JSON in UTF-8 in both directions; amounts are
strings with two decimals, times are in UTC and end in `Z`.

Authentication: send a partner's key with every request, as `Authorization: Bearer <key>`. A key is
shown once, when it is made, and has scopes; each operation names the one that it needs. Two keys
may be live at a time, so that one can take the place of the other without a gap.

Retries: send an `Idempotency-Key` of your own making with every POST. When you do not hear the
answer, send the same request again under the same key: it is done once, and you get the answer
that it got, with `Idempotent-Replayed: true`. A key is kept for 24 hours. The same key with another
body is refused (422).

Errors are RFC 9457 problems, as `application/problem+json`: `type` is a code that never changes its
meaning, `detail` a sentence for people, and on 400 `errors` says what is wrong by field. Quote the
`request_id` when you ask us about one; it is also the header `X-Request-Id`, which you may set.

Lists are pages: follow `next` until it is null. A cursor names a place in the list, so that what is
added meanwhile moves nothing. Whatever answers a GET answers a HEAD as well.

Of another partner's applications there is nothing to see: their references are not found (404).
"""


def introduce(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the introduction, one line a paragraph: a hook of drf-spectacular."""
    paragraphs = INTRODUCTION.strip().split("\n\n")
    result["info"]["description"] = "\n\n".join(text.replace("\n", " ") for text in paragraphs)
    return result
