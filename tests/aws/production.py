"""A whole environment of production, and fresh interpreters that have nothing else."""

import os
import subprocess
import sys

from tests import spawned
from tests.aws.process import REGION, REPOSITORY

COMPLETE = {
    "SECRET_KEY": "a-long-and-random-secret-key-for-this-test-of-the-settings-0123456789",
    "ALLOWED_HOSTS": "loans.example.com",
    "DATABASE_URL": "postgresql://user:secret@database.example.com/loanoffice",
    "LOAN_APPROVAL_FUNCTION": "loanoffice-production-loan-approval:live",
    "FRAUD_CHECK_FUNCTION": "loanoffice-production-fraud-check:live",
    "MEDIA_BUCKET": "loanoffice-media",
    "MEDIA_KMS_KEY": f"arn:aws:kms:{REGION}:123456789012:key/documents",
    "SEAL_BUCKET": "loanoffice-seals",
    "STATIC_BUCKET": "loanoffice-static",
    "SITE_URL": "https://loans.example.com",
    "EMAIL_HOST": "mail.example.com",
    "DEFAULT_FROM_EMAIL": "Loan Office <no-reply@loans.example.com>",
    "LOANOFFICE_SIMULATED_PROVIDERS": "true",
    "AWS_DEFAULT_REGION": REGION,
}


def run(module: str, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Python with these words, these settings and nothing but this environment.

    The libraries of ``tests.spawner`` are imported already.
    """
    return spawned.run(words, env=_only(module, environment))


def run_fresh(module: str, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The same in an interpreter that has imported nothing."""
    return subprocess.run(
        [sys.executable, *words],
        env=_only(module, environment),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def _only(module: str, environment: dict[str, str]) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": module, **environment}
