"""Print the figures of a run as a table, and one line for each finding."""

from collections.abc import Mapping
from dataclasses import dataclass

from devtools.chaos.findings import Fault, Finding


@dataclass(frozen=True)
class Report:
    options_line: str
    applications: int
    counts: Mapping[str, int]
    killed: Mapping[str, int]
    late_kills: int
    seconds: float
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        return not self.findings

    def faults(self, fault: Fault) -> int:
        return sum(finding.fault == fault for finding in self.findings)

    def text(self) -> str:
        """Return the report for a terminal; ends without a newline."""
        count = self.counts.get
        kills = ", ".join(
            f"{name.removeprefix('The ')} {number}" for name, number in sorted(self.killed.items())
        )
        if self.late_kills:
            kills += f" ({self.late_kills} after their moment)"
        rows = [
            ("applications", f"{self.applications}", ""),
            (
                "decisions",
                f"{count('decisions acknowledged', 0)}",
                _nonzero(
                    refused=count("decisions refused", 0),
                    acknowledged_by_reading=count("decisions acknowledged by reading", 0),
                ),
            ),
            (
                "withdrawals",
                f"{count('withdrawals accepted', 0)}",
                _nonzero(refused=count("withdrawals refused", 0)),
            ),
            ("kills", f"{sum(self.killed.values())}", kills),
            ("lost answers", f"{count('lost answers', 0)}", "asked again"),
            ("seconds", f"{self.seconds:.1f}", ""),
            ("per second", f"{self.applications / self.seconds:.2f}", ""),
            *[(fault.value, f"{self.faults(fault)}", "") for fault in Fault],
        ]
        lines = [self.options_line]
        lines += [f"  {name:<16}{figure:>8}  {note}".rstrip() for name, figure, note in rows]
        lines += [f"{found.fault:<8} {found.subject}: {found.why}" for found in self.findings]
        return "\n".join(lines)


def _nonzero(**counts: int) -> str:
    return ", ".join(
        f"{number} {name.replace('_', ' ')}" for name, number in counts.items() if number
    )
