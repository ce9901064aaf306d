"""The names of the emulated stage, shared by all its parts. Pure."""

from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
STAGE = "demo"
# The account and the region of the embedded engine's ARNs as well.
ACCOUNT = "123456789012"
REGION = "ca-central-1"
DOMAIN = "loans.localhost"
WEB = f"loanoffice-{STAGE}"
LOAN_APPROVAL, FRAUD_CHECK, MANAGE = (
    f"{WEB}-{name}" for name in ("loan-approval", "fraud-check", "manage")
)
COMPANIONS = (LOAN_APPROVAL, FRAUD_CHECK, MANAGE)
ALIAS = "live"
PACKAGES, STATIC, MEDIA, SEALS = (
    f"{WEB}-{name}" for name in ("packages", "static", "media", "seals")
)
# Where the front serves the static files, as a CDN does in front of their bucket.
STATIC_PATH = "/static/"
# MiniStack takes 12 digits for the account's number.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "local"}


@dataclass(frozen=True)
class Ports:
    """The ports of the parts on 127.0.0.1."""

    front: int
    router: int
    emulator: int
    engine: int

    @property
    def site(self) -> str:
        """The address of the office."""
        return f"https://{DOMAIN}:{self.front}"

    @property
    def aws(self) -> str:
        """The address of everything of AWS."""
        return f"http://127.0.0.1:{self.router}"
