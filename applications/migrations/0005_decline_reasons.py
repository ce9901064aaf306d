"""A catalogue of reasons to decline, and what lenders usually say in it."""

import django.core.validators
from django.db import migrations, models

# code, what the applicant reads, what it is a reason for, whether it asks for own words
APPROVAL, FRAUD, OFFER = "for_manager_approval", "for_fraud_review", "for_offer_acceptance"
REASONS = (
    ("INCOME_NOT_VERIFIED", "We could not verify your income.", (APPROVAL, FRAUD), False),
    ("EMPLOYMENT_NOT_VERIFIED", "We could not verify your employment.", (APPROVAL, FRAUD), False),
    ("DEBT_TOO_HIGH", "Your debt is too high for your income.", (APPROVAL,), False),
    (
        "CREDIT_HISTORY_LIMITED",
        "Your credit history is too short or too limited for this amount.",
        (APPROVAL,),
        False,
    ),
    (
        "INFORMATION_INCOMPLETE",
        "The information is incomplete, or parts of it contradict each other.",
        (APPROVAL, FRAUD),
        False,
    ),
    ("PURPOSE_NOT_ELIGIBLE", "We do not lend for this purpose.", (APPROVAL,), False),
    ("IDENTITY_NOT_VERIFIED", "We could not verify your identity.", (APPROVAL, FRAUD), False),
    (
        "FRAUD_CONFIRMED",
        "The application did not pass our checks against misuse of identities.",
        (FRAUD,),
        False,
    ),
    ("INTEREST_WITHDRAWN", "You told us that you no longer want the loan.", (APPROVAL, OFFER), False),
    ("TERMS_NOT_ACCEPTED", "You did not accept the terms of the offer.", (OFFER,), False),
    ("OTHER", "Another reason, in our own words.", (APPROVAL, FRAUD, OFFER), True),
)


def fill(apps, schema_editor):
    reason = apps.get_model("applications", "DeclineReason")
    reason.objects.bulk_create(
        reason(
            code=code,
            text=text,
            asks_for_text=asks,
            position=10 * number,
            **{fit: True for fit in fits},
        )
        for number, (code, text, fits, asks) in enumerate(REASONS, start=1)
    )


class Migration(migrations.Migration):
    old_code_safe = True  # it only adds rows that older code does not read

    dependencies = [
        ('applications', '0004_idempotency_keys'),
    ]

    operations = [
        migrations.AddField(
            model_name='reviewdecision',
            name='reason_code',
            field=models.CharField(blank=True, db_default='', help_text='Of the catalogue, if one was chosen.', max_length=40),
        ),
        migrations.AddField(
            model_name='reviewdecision',
            name='reason_text',
            field=models.CharField(blank=True, db_default='', help_text='How the catalogue read then.', max_length=300),
        ),
        migrations.AlterField(
            model_name='reviewdecision',
            name='reason',
            field=models.TextField(blank=True, help_text='The whole of it as the applicant reads it, or a note for staff.'),
        ),
        migrations.CreateModel(
            name='DeclineReason',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(help_text='Partners read it too, such as INCOME_NOT_VERIFIED. It never changes.', max_length=40, unique=True, validators=[django.core.validators.RegexValidator('^[A-Z][A-Z0-9_]*\\Z', 'Capital letters, digits and underscores.')])),
                ('text', models.CharField(help_text='One sentence, which the applicant and the partner read.', max_length=300)),
                ('for_manager_approval', models.BooleanField(default=False, verbose_name='for manager approvals')),
                ('for_fraud_review', models.BooleanField(default=False, verbose_name='for fraud reviews')),
                ('for_offer_acceptance', models.BooleanField(default=False, verbose_name='for answers to an offer')),
                ('asks_for_text', models.BooleanField(default=False, help_text='It says too little alone: who decides has to add their own words.', verbose_name='asks for words')),
                ('active', models.BooleanField(default=True, help_text='Untick to retire it.')),
                ('position', models.PositiveSmallIntegerField(default=100, help_text='Lowest first.')),
            ],
            options={
                'ordering': ['position', 'code'],
                'constraints': [models.CheckConstraint(condition=models.Q(('for_manager_approval', True), ('for_fraud_review', True), ('for_offer_acceptance', True), _connector='OR'), name='decline_reason_fits_something', violation_error_message='Say what it is a reason for.')],
            },
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
