"""The stage in ``zappa_settings.json``, and what the runbook has somebody make before a deploy."""

import json
import platform
import secrets
import sys
from pathlib import Path
from typing import Any

from devtools.aws.database import Database
from devtools.aws.names import (
    ACCOUNT,
    ALIAS,
    DOMAIN,
    FRAUD_CHECK,
    LOAN_APPROVAL,
    MEDIA,
    PACKAGES,
    REGION,
    SEALS,
    STAGE,
    STATIC,
    STATIC_PATH,
    WEB,
    Ports,
)

SECRETS = f"/loanoffice/{STAGE}"


def write_settings(checkout: Path, *, ports: Ports, key: str, data: Path) -> None:
    """Add the stage to a checkout's ``zappa_settings.json``. It extends production.

    ``key`` is the ARN of the documents' key, ``data`` the folder for e-mails.
    """
    file = checkout / "zappa_settings.json"
    stages = json.loads(file.read_text())
    site = f"{DOMAIN}:{ports.front}"
    stages[STAGE] = {
        "extends": "production",
        "django_settings": "loanoffice.settings.demo_aws",
        "runtime": f"python{sys.version_info.major}.{sys.version_info.minor}",
        "architecture": platform.machine(),
        "aws_region": REGION,
        "s3_bucket": PACKAGES,
        "domain": DOMAIN,
        "certificate_arn": f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/none",
        "role_name": WEB,
        "vpc_config": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
        "aws_environment_variables": {
            "DJANGO_SETTINGS_MODULE": "loanoffice.settings.demo_aws",
            "AWS_ENDPOINT_URL": ports.aws,
            "LOANOFFICE_SECRETS": SECRETS,
            "LOANOFFICE_STAGE": STAGE,
            "LOANOFFICE_DATA": str(data),
            "ALLOWED_HOSTS": DOMAIN,
            "CSRF_TRUSTED_ORIGINS": ports.site,
            "SITE_URL": ports.site,
            "STATIC_BUCKET": STATIC,
            "STATIC_DOMAIN": f"{site}{STATIC_PATH.rstrip('/')}",
            "MEDIA_BUCKET": MEDIA,
            "SEAL_BUCKET": SEALS,
            "LOANOFFICE_SEAL_DAYS": "1",
            "MEDIA_KMS_KEY": key,
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_USE_TLS": "false",
            "DEFAULT_FROM_EMAIL": "Loan Office <no-reply@localhost>",
            "LOANOFFICE_SIMULATED_PROVIDERS": "true",
            "LOANOFFICE_SIMULATED_LATENCY": "1.0",
            "LOANOFFICE_TRUSTED_PROXIES": "1",
            "LOAN_APPROVAL_FUNCTION": f"{LOAN_APPROVAL}:{ALIAS}",
            "FRAUD_CHECK_FUNCTION": f"{FRAUD_CHECK}:{ALIAS}",
        },
    }
    file.write_text(json.dumps(stages, indent=4))


def prepare_account(clients: Any, *, database: Database) -> str:
    """Make buckets, secrets and the documents' key, whose ARN it returns.

    ``clients`` gives boto3's client of a service.
    """
    s3 = clients("s3")
    for bucket in (PACKAGES, STATIC, MEDIA, SEALS):
        s3.create_bucket(
            Bucket=bucket,
            CreateBucketConfiguration={"LocationConstraint": REGION},
            ObjectLockEnabledForBucket=bucket == SEALS,
        )
    app = {"DATABASE_URL": database.app}
    parameters = {
        SECRETS: {**app, "SECRET_KEY": secrets.token_urlsafe(64)},
        f"{SECRETS}-loan-approval": app,
        f"{SECRETS}-fraud-check": app,
        f"{SECRETS}-manage": {
            "DATABASE_URL": database.owner,
            "LOANOFFICE_APP_DATABASE_URL": database.app,
        },
    }
    for path, values in parameters.items():
        for name, value in values.items():
            clients("ssm").put_parameter(Name=f"{path}/{name}", Value=value, Type="SecureString")
    return str(clients("kms").create_key()["KeyMetadata"]["Arn"])
