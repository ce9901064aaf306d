"""Bring a multipart body into the form that Django's parser reads, while it is streamed.

Django's parser takes a truncated body for a whole one, reads what follows the closing boundary
(the epilogue, RFC 2046, 5.1.1), and passes over a part whose headers are not UTF-8.
"""

from typing import IO, Any

LARGEST_HEADER = 64 * 1024  # bytes of the headers of one part
LONGEST_PADDING = 1024  # bytes of blanks behind a boundary
CHUNK = 64 * 1024


class MultipartStream:
    """A stream that ends with the closing boundary, with the headers of its parts in UTF-8.

    Headers of another encoding are read as Latin-1, which older clients send.
    """

    def __init__(self, stream: IO[Any], boundary: str) -> None:
        self._stream = stream
        self._delimiter = b"\n--" + boundary.encode(errors="replace")
        self._waiting = b"\n"  # not yet passed on; a body may begin with a boundary
        self._in_header = False
        self.is_complete = False  # whether the closing boundary was read

    def read(self, size: int = -1) -> bytes:
        while not self.is_complete:
            part: bytes = self._stream.read(size)
            self._waiting += part
            if (passed := self._pass_on(at_end=not part)) or not part:
                return passed
        return b""

    def _pass_on(self, *, at_end: bool) -> bytes:
        """Return what of the bytes that wait needs no more bytes after it."""
        passed = []
        piece: bytes | None = b""
        while piece is not None and not self.is_complete:
            passed.append(piece)
            read_next = self._header if self._in_header else self._content
            piece = read_next(at_end=at_end)
        if piece is not None:
            passed.append(piece)
        return b"".join(passed)

    def _header(self, *, at_end: bool) -> bytes | None:
        """Take the headers of a part, which an empty line ends; ``None`` to read more first."""
        end = self._waiting.find(b"\r\n\r\n")
        if self._delimiter in self._waiting[: end if end >= 0 else None]:
            self._in_header = False  # headers that no empty line ends
            return b""
        if end < 0 and not at_end and len(self._waiting) <= LARGEST_HEADER:
            return None
        self._in_header = False
        return _as_utf8(self._take(end + 2 if end >= 0 else len(self._waiting)))

    def _content(self, *, at_end: bool) -> bytes | None:
        """Take what comes before a boundary, and the boundary itself once its line is whole."""
        start = self._waiting.find(self._delimiter)
        if start < 0:
            kept = 0 if at_end else len(self._delimiter)
            return self._take(len(self._waiting) - kept) or None
        after = start + len(self._delimiter)
        line_end = self._waiting.find(b"\n", after, after + LONGEST_PADDING)
        if line_end < 0 and not at_end and len(self._waiting) < after + LONGEST_PADDING:
            return self._take(start) or None
        line = self._waiting[after : line_end if line_end >= 0 else None]
        if line.rstrip(b" \t\r") == b"--":
            self.is_complete = True
            while self._stream.read(CHUNK):
                pass  # the epilogue, which is nobody's
            return self._take(after) + b"--\r\n"
        if line_end >= 0 and not line.strip(b" \t\r"):
            self._in_header = True
            found = self._take(after)
            self._waiting = b"\r\n" + self._waiting[len(line) + 1 :]
            return found
        return self._take(after)

    def _take(self, size: int) -> bytes:
        taken, self._waiting = self._waiting[: max(size, 0)], self._waiting[max(size, 0) :]
        return taken


def _as_utf8(header: bytes) -> bytes:
    try:
        header.decode()
    except UnicodeDecodeError:
        return header.decode("latin-1").encode()
    return header
