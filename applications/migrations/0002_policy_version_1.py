"""Lending policy version 1, in force from the start."""

from datetime import timedelta
from decimal import Decimal

from django.db import migrations
from django.utils import timezone

# tier, lowest average score, needs a clean record, annual percent, largest amount
TIERS = (
    ("prime", 740, True, "5.25", "1000000.00"),
    ("near_prime", 670, False, "7.50", "250000.00"),
    ("subprime", 580, False, "11.00", "25000.00"),
    ("deep_subprime", 0, False, "15.00", "0.00"),
)


def publish(apps, schema_editor):
    policy = apps.get_model("applications", "LendingPolicy").objects.create(
        version=1,
        currency="CAD",
        approval_threshold=Decimal("100000.00"),
        second_approval_threshold=Decimal("500000.00"),
        manager_ceiling=Decimal("250000.00"),
        default_term_months=60,
        maximum_debt_to_income=None,
        approval_due=timedelta(days=1),
        approval_expires=timedelta(days=7),
        fraud_check_timeout=timedelta(minutes=5),
        fraud_check_attempts=3,
        offer_acceptance_required=False,
        offer_life=timedelta(days=14),
        published_at=timezone.now(),
    )
    tier_model = apps.get_model("applications", "PolicyTier")
    tier_model.objects.bulk_create(
        tier_model(
            policy=policy,
            tier=tier,
            minimum_score=score,
            requires_clean_record=clean,
            annual_rate=Decimal(rate),
            largest_amount=Decimal(largest),
        )
        for tier, score, clean, rate, largest in TIERS
    )


class Migration(migrations.Migration):
    dependencies = [("applications", "0001_initial")]

    operations = [migrations.RunPython(publish, migrations.RunPython.noop)]
