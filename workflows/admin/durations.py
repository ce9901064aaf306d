"""Write durations for people. Pure."""

UNITS = (("day", 86_400), ("h", 3_600), ("min", 60))


def span(seconds: float) -> str:
    """``0.35 s``, ``12 s``, ``3 min 5 s``, ``7 days 1 h``: two units at the most."""
    if seconds < 0.01:
        return "under 0.01 s"
    if seconds < 10:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    left = round(seconds)
    parts = []
    for unit, size in UNITS:
        number, left = divmod(left, size)
        if number:
            plural = "s" if unit == "day" and number > 1 else ""
            parts.append(f"{number} {unit}{plural}")
    if left:
        parts.append(f"{left} s")
    return " ".join(parts[:2])
