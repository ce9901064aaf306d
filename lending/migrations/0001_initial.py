import accounts.roles
import datetime
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import lending.currencies
from datetime import timedelta
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models
from django.utils import timezone

from audit.append_only import protect, protect_parts, release

POLICIES = "lending_lendingpolicy"
PARTS = ("lending_policytier", "lending_policyauthority")
PUBLISHED = "published_at"  # NULL while a policy is a draft

# tier, lowest average score, needs a clean record, annual percent, largest amount
TIERS = (
    ("prime", 740, True, "5.25", "1000000.00"),
    ("near_prime", 670, False, "7.50", "250000.00"),
    ("subprime", 580, False, "11.00", "25000.00"),
    ("deep_subprime", 0, False, "15.00", "0.00"),
)

# role, largest amount that it approves
CEILINGS = (("manager", "250000.00"), ("senior_manager", None))


def publish(apps, schema_editor):
    policy = apps.get_model("lending", "LendingPolicy").objects.create(
        version=1,
        currency="CAD",
        approval_threshold=Decimal("100000.00"),
        second_approval_threshold=Decimal("500000.00"),
        default_term_months=60,
        smallest_loan=Decimal("500.00"),
        smallest_instalment=Decimal("15.00"),
        maximum_debt_to_income=None,
        approval_due=timedelta(days=1),
        approval_expires=timedelta(days=7),
        fraud_check_timeout=timedelta(minutes=5),
        fraud_check_attempts=3,
        offer_acceptance_required=False,
        offer_life=timedelta(days=14),
        published_at=timezone.now(),
    )
    tier_model = apps.get_model("lending", "PolicyTier")
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
    authority_model = apps.get_model("lending", "PolicyAuthority")
    authority_model.objects.bulk_create(
        authority_model(policy=policy, role=role, ceiling=ceiling and Decimal(ceiling))
        for role, ceiling in CEILINGS
    )


def protect_published(apps, schema_editor):
    protect(schema_editor, POLICIES, closed_by=PUBLISHED)
    for table in PARTS:
        protect_parts(schema_editor, table, parent=POLICIES, key="policy_id", closed_by=PUBLISHED)


def release_published(apps, schema_editor):
    for table in (POLICIES, *PARTS):
        release(schema_editor, table)


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='LendingPolicy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.PositiveIntegerField(unique=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('currency', models.CharField(default='CAD', max_length=3, validators=[lending.currencies.known_currency])),
                ('approval_threshold', models.DecimalField(decimal_places=2, default=Decimal('100000.00'), help_text='At or above this amount a manager decides.', max_digits=12, validators=[django.core.validators.MinValueValidator(0)])),
                ('second_approval_threshold', models.DecimalField(decimal_places=2, default=Decimal('500000.00'), help_text='At or above this amount two people decide.', max_digits=12, validators=[django.core.validators.MinValueValidator(0)])),
                ('default_term_months', models.PositiveSmallIntegerField(default=60, validators=[django.core.validators.MinValueValidator(6), django.core.validators.MaxValueValidator(360)])),
                ('smallest_loan', models.DecimalField(decimal_places=2, default=Decimal('500.00'), help_text='An application for less is declined.', max_digits=12, validators=[django.core.validators.MinValueValidator(Decimal('0.01'))])),
                ('smallest_instalment', models.DecimalField(decimal_places=2, default=Decimal('15.00'), help_text='An application whose monthly instalment would be less is declined.', max_digits=12, validators=[django.core.validators.MinValueValidator(Decimal('0.01'))])),
                ('maximum_debt_to_income', models.DecimalField(blank=True, decimal_places=2, help_text='Estimated payment over monthly income, in percent. Empty: no limit.', max_digits=5, null=True, validators=[django.core.validators.MinValueValidator(Decimal('0.01')), django.core.validators.MaxValueValidator(Decimal('100'))])),
                ('approval_due', models.DurationField(default=datetime.timedelta(days=1), validators=[django.core.validators.MinValueValidator(datetime.timedelta(seconds=1), 'Enter a time of at least one second.'), django.core.validators.MaxValueValidator(datetime.timedelta(days=365), 'Enter a time of at most 365 days.')])),
                ('approval_expires', models.DurationField(default=datetime.timedelta(days=7), validators=[django.core.validators.MinValueValidator(datetime.timedelta(seconds=1), 'Enter a time of at least one second.'), django.core.validators.MaxValueValidator(datetime.timedelta(days=365), 'Enter a time of at most 365 days.')])),
                ('fraud_check_timeout', models.DurationField(default=datetime.timedelta(seconds=300), validators=[django.core.validators.MinValueValidator(datetime.timedelta(seconds=1), 'Enter a time of at least one second.'), django.core.validators.MaxValueValidator(datetime.timedelta(days=365), 'Enter a time of at most 365 days.')])),
                ('fraud_check_attempts', models.PositiveSmallIntegerField(default=3, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(20)])),
                ('offer_acceptance_required', models.BooleanField(default=False)),
                ('offer_life', models.DurationField(default=datetime.timedelta(days=14), validators=[django.core.validators.MinValueValidator(datetime.timedelta(seconds=1), 'Enter a time of at least one second.'), django.core.validators.MaxValueValidator(datetime.timedelta(days=365), 'Enter a time of at most 365 days.')])),
                ('notes', models.TextField(blank=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('published_at', models.DateTimeField(editable=False, null=True)),
                ('published_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'lending policies',
                'ordering': ['-version'],
                'permissions': [('publish_lendingpolicy', 'Can publish a lending policy')],
                'constraints': [models.CheckConstraint(condition=models.Q(('second_approval_threshold__gte', models.F('approval_threshold'))), name='policy_second_threshold_not_below_first', violation_error_message='The second approval threshold is below the approval threshold.'), models.CheckConstraint(condition=models.Q(('approval_expires__gte', models.F('approval_due'))), name='policy_approval_expires_not_before_due', violation_error_message='A decision expires before it is due.'), models.CheckConstraint(condition=models.Q(('smallest_instalment__gt', 0), ('smallest_loan__gte', models.F('smallest_instalment'))), name='policy_smallest_loan_not_below_instalment', violation_error_message='The smallest instalment is above zero, and not above the smallest loan.')],
            },
        ),
        migrations.CreateModel(
            name='PolicyTier',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('tier', models.CharField(choices=[('prime', 'Prime'), ('near_prime', 'Near-prime'), ('subprime', 'Subprime'), ('deep_subprime', 'Deep subprime')], max_length=20)),
                ('minimum_score', models.PositiveSmallIntegerField(help_text='Average score, at or above.', validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(900)])),
                ('requires_clean_record', models.BooleanField(default=False, help_text='No derogatory mark at any bureau.')),
                ('annual_rate', models.DecimalField(decimal_places=2, help_text='Percent a year.', max_digits=5, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(Decimal('35'))])),
                ('largest_amount', models.DecimalField(decimal_places=2, help_text='Zero: this tier is declined.', max_digits=12, validators=[django.core.validators.MinValueValidator(0)])),
                ('policy', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tiers', to='lending.lendingpolicy')),
            ],
            options={
                'ordering': ['policy', '-minimum_score'],
                'constraints': [models.UniqueConstraint(fields=('policy', 'tier'), name='policy_tier_once', violation_error_message='Each tier has one row.'), models.CheckConstraint(condition=models.Q(('annual_rate__gte', 0)), name='tier_rate_not_negative', violation_error_message='The rate is below zero.'), models.CheckConstraint(condition=models.Q(('largest_amount__gte', 0)), name='tier_amount_not_negative', violation_error_message='The largest amount is below zero.')],
            },
        ),
        migrations.CreateModel(
            name='PolicyAuthority',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.CharField(choices=accounts.roles.approver_choices, max_length=20)),
                ('ceiling', models.DecimalField(blank=True, decimal_places=2, help_text='Above this amount the next role decides. Empty: no limit.', max_digits=12, null=True, validators=[django.core.validators.MinValueValidator(0)])),
                ('policy', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='authorities', to='lending.lendingpolicy')),
            ],
            options={
                'verbose_name_plural': 'policy authorities',
                'ordering': ['policy', models.OrderBy(models.F('ceiling'), nulls_last=True)],
                'constraints': [models.UniqueConstraint(fields=('policy', 'role'), name='policy_authority_once', violation_error_message='Each role has one row.'), models.CheckConstraint(condition=models.Q(('ceiling__gte', 0)), name='authority_ceiling_not_negative', violation_error_message='The ceiling is below zero.')],
            },
        ),
        # Lending policy version 1, in force from the start.
        migrations.RunPython(publish, migrations.RunPython.noop),
        # The database itself refuses to change or delete what is published.
        migrations.RunPython(protect_published, release_published),
    ]
