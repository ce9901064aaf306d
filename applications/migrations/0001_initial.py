import applications.choices
import applications.models.documents
import applications.models.fields
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models

from audit.append_only import protect, release

TIMELINE = "applications_applicationevent"
NOTES = "applications_applicationnote"
LEDGER = "applications_disbursement"
# What becomes known of a payout after it was asked for. The amount and the payee stay.
LEDGER_MAY_CHANGE = ("status", "rail_reference", "funded_at", "orders")


def protect_tables(apps, schema_editor):
    protect(schema_editor, TIMELINE)
    protect(schema_editor, NOTES)
    protect(schema_editor, LEDGER, may_change=LEDGER_MAY_CHANGE)


def release_tables(apps, schema_editor):
    release(schema_editor, TIMELINE)
    release(schema_editor, NOTES)
    release(schema_editor, LEDGER)


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('lending', '0001_initial'),
        ('partners', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='LoanApplication',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reference', models.CharField(editable=False, max_length=20, unique=True)),
                ('external_id', models.CharField(blank=True, help_text="The partner's own name for this application.", max_length=100)),
                ('applicant_name', models.CharField(max_length=200)),
                ('address', models.CharField(blank=True, max_length=300)),
                ('phone', models.CharField(blank=True, max_length=40)),
                ('email', models.EmailField(blank=True, max_length=254)),
                ('sin_last4', models.CharField(max_length=4, validators=[django.core.validators.RegexValidator('\\A[0-9]{4}\\Z', 'Enter exactly four digits.')], verbose_name='SIN, last four digits')),
                ('annual_income', models.DecimalField(blank=True, decimal_places=2, max_digits=12, null=True, validators=[django.core.validators.MinValueValidator(0)])),
                ('loan_amount', models.DecimalField(decimal_places=2, max_digits=12)),
                ('currency', models.CharField(default='CAD', max_length=3)),
                ('purpose', models.CharField(choices=[('personal_loan', 'Personal loan'), ('home_improvement', 'Home improvement'), ('vehicle', 'Vehicle'), ('education', 'Education'), ('debt_consolidation', 'Debt consolidation'), ('business', 'Business'), ('other', 'Other')], default='personal_loan', max_length=30)),
                ('term_months', models.PositiveSmallIntegerField(default=60, validators=[django.core.validators.MinValueValidator(6), django.core.validators.MaxValueValidator(360)])),
                ('status', models.CharField(choices=[('draft', 'Draft'), ('submitted', 'Submitted'), ('in_review', 'In review'), ('pending_approval', 'Pending approval'), ('approved', 'Approved'), ('funded', 'Funded'), ('declined', 'Declined'), ('withdrawn', 'Withdrawn'), ('expired', 'Expired'), ('needs_attention', 'Needs attention')], default='draft', max_length=20)),
                ('current_step', models.CharField(blank=True, choices=[('submitted', 'Submitted'), ('validating', 'Validation'), ('credit_check', 'Credit check'), ('risk_assessment', 'Risk assessment'), ('manager_approval', 'Manager approval'), ('fraud_check', 'Fraud check'), ('generating_offer', 'Offer'), ('offer_acceptance', 'Acceptance'), ('disbursing', 'Disbursement'), ('complete', 'Complete')], max_length=20)),
                ('waiting_on', models.CharField(blank=True, choices=applications.choices.waiting_choices, max_length=20)),
                ('waiting_since', models.DateTimeField(blank=True, null=True)),
                ('waiting_until', models.DateTimeField(blank=True, null=True)),
                ('version', models.PositiveIntegerField(default=1)),
                ('attempt', models.PositiveIntegerField(default=0)),
                ('outcome', models.CharField(blank=True, choices=[('approve', 'Approve'), ('refer', 'Refer'), ('decline', 'Decline')], max_length=10)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('decision_reasons', models.JSONField(blank=True, default=list)),
                ('applicant_search', applications.models.fields.FoldedNameField(blank=True, db_default='', default='', editable=False, max_length=200, source='applicant_name')),
                ('surname_search', applications.models.fields.SurnameFirstField(blank=True, db_default='', default='', editable=False, max_length=200, source='applicant_name')),
                ('phone_search', applications.models.fields.PhoneKeyField(blank=True, db_default='', default='', editable=False, max_length=20, source='phone')),
                ('email_search', applications.models.fields.EmailKeyField(blank=True, db_default='', default='', editable=False, max_length=254, source='email')),
                ('amount_band', applications.models.fields.AmountBandField(blank=True, choices=[(1, 'Under 25,000'), (2, '25,000 to 100,000'), (3, '100,000 to 250,000'), (4, '250,000 to 500,000'), (5, '500,000 and more')], default=None, editable=False, null=True, source='loan_amount')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('submitted_at', models.DateTimeField(editable=False, null=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('closed_at', models.DateTimeField(editable=False, null=True)),
                ('created_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('last_edited_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('partner', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='applications', to='partners.partner')),
                ('policy', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to='lending.lendingpolicy')),
                ('submitted_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-created_at', '-id'],
                'permissions': [('submit_loanapplication', 'Can submit an application'), ('withdraw_loanapplication', 'Can withdraw an application'), ('reveal_contact', "Can have an applicant's contact details shown"), ('export_loanapplication', 'Can export the list of applications')],
                'indexes': [models.Index(models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='application_newest'), models.Index(models.F('status'), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='application_by_status'), models.Index(models.F('partner'), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='application_by_partner'), models.Index(models.F('current_step'), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='application_by_step'), models.Index(models.F('status'), models.F('current_step'), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='application_by_status_step'), models.Index(models.F('waiting_on'), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='application_by_waiting'), models.Index(fields=['waiting_on', 'waiting_until', 'id'], name='application_by_wait'), models.Index(models.F('amount_band'), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='application_by_band'), models.Index(models.F('applicant_search'), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), models.F('status'), models.F('current_step'), models.F('amount_band'), models.F('partner'), models.F('waiting_on'), name='application_by_name'), models.Index(models.F('surname_search'), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='application_by_surname'), models.Index(models.F('phone_search'), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='application_by_phone'), models.Index(models.F('email_search'), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='application_by_email'), models.Index(models.F('external_id'), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='application_by_external'), models.Index(models.F('created_by'), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), models.F('status'), models.F('decided_at'), name='application_by_author'), models.Index(models.OrderBy(models.F('loan_amount'), descending=True), models.OrderBy(models.F('id'), descending=True), name='application_by_amount'), models.Index(models.F('status'), models.OrderBy(models.F('loan_amount'), descending=True), models.OrderBy(models.F('id'), descending=True), models.F('currency'), name='application_by_status_amount'), models.Index(fields=['submitted_at', 'decided_at', 'outcome', 'status'], name='application_by_submission'), models.Index(condition=models.Q(('closed_at__isnull', False)), fields=['status', 'closed_at', 'currency', 'loan_amount'], name='application_by_closing'), models.Index(condition=models.Q(('decided_at__isnull', False)), fields=['decided_at', 'submitted_at', 'outcome'], name='application_by_decision')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('external_id', ''), _negated=True), fields=('partner', 'external_id'), name='application_once_per_external_id', violation_error_message='The partner has an application with this external id.'), models.CheckConstraint(condition=models.Q(('loan_amount__gt', 0)), name='application_amount_positive', violation_error_message='Enter an amount above zero.'), models.CheckConstraint(condition=models.Q(('annual_income__isnull', True), ('annual_income__gte', Decimal('1.00')), _connector='OR'), name='application_income_makes_sense', violation_error_message='Enter a yearly income of at least 1.00, or nothing.'), models.CheckConstraint(condition=models.Q(('status__in', ['draft', 'submitted', 'in_review', 'pending_approval', 'approved', 'funded', 'declined', 'withdrawn', 'expired', 'needs_attention'])), name='application_status_known', violation_error_message='There is no such status.'), models.CheckConstraint(condition=models.Q(('status__in', ['draft', 'withdrawn']), models.Q(('attempt__gte', 1), ('submitted_at__isnull', False)), _connector='OR'), name='application_submitted_has_attempt', violation_error_message='What is submitted has a time and an attempt.')],
            },
        ),
        migrations.CreateModel(
            name='Document',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('proof_of_identity', 'Proof of identity'), ('proof_of_income', 'Proof of income'), ('bank_statement', 'Bank statement'), ('offer_letter', 'Offer letter'), ('other', 'Other')], max_length=30)),
                ('key', models.CharField(editable=False, max_length=64)),
                ('file', models.FileField(max_length=300, upload_to=applications.models.documents.document_path)),
                ('original_name', models.CharField(max_length=255)),
                ('content_type', models.CharField(max_length=100)),
                ('size', models.PositiveIntegerField(help_text='Bytes.')),
                ('sha256', models.CharField(max_length=64)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('partner', models.ForeignKey(blank=True, db_index=False, help_text='Who sent it; a letter that we made was sent by nobody.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='partners.partner')),
                ('uploaded_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='documents', to='applications.loanapplication')),
            ],
            options={
                'ordering': ['created_at', 'id'],
                'constraints': [models.UniqueConstraint(fields=('application', 'kind', 'key'), name='document_once_per_key')],
            },
        ),
        migrations.CreateModel(
            name='Disbursement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('idempotency_key', models.CharField(max_length=64, unique=True, verbose_name='key at the rail')),
                ('orders', models.PositiveSmallIntegerField(default=1, help_text='How many orders there were: a new one after each refusal.')),
                ('amount', models.DecimalField(decimal_places=2, max_digits=12)),
                ('currency', models.CharField(max_length=3)),
                ('status', models.CharField(choices=[('requested', 'Requested'), ('paid', 'Paid'), ('refused', 'Refused'), ('unknown', 'Outcome unknown'), ('not_paid', 'Not paid, as two people found')], default='requested', max_length=10)),
                ('rail_reference', models.CharField(blank=True, max_length=100)),
                ('requested_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('funded_at', models.DateTimeField(blank=True, null=True)),
                ('application', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='disbursement', to='applications.loanapplication')),
            ],
            options={
                'ordering': ['-requested_at', '-id'],
                'permissions': [('settle_disbursement', 'Can say whether a payout of unknown outcome was paid'), ('confirm_disbursement', 'Can confirm what became of a payout of unknown outcome')],
                'indexes': [models.Index(models.OrderBy(models.F('requested_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='disbursement_newest'), models.Index(models.F('status'), models.OrderBy(models.F('requested_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='disbursement_by_status')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('status', 'paid'), _negated=True), ('funded_at__isnull', False), _connector='OR'), name='paid_has_a_time')],
            },
        ),
        migrations.CreateModel(
            name='CreditReport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attempt', models.PositiveIntegerField()),
                ('bureau', models.CharField(choices=applications.choices.bureau_choices, max_length=20)),
                ('score', models.PositiveSmallIntegerField()),
                ('derogatory_marks', models.PositiveSmallIntegerField(default=0)),
                ('bureau_reference', models.CharField(blank=True, max_length=100)),
                ('pulled_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='credit_reports', to='applications.loanapplication')),
            ],
            options={
                'ordering': ['application', 'attempt', 'bureau'],
                'constraints': [models.UniqueConstraint(fields=('application', 'attempt', 'bureau'), name='credit_report_once'), models.CheckConstraint(condition=models.Q(('score__gte', 300), ('score__lte', 900)), name='credit_score_in_range')],
            },
        ),
        migrations.CreateModel(
            name='ApplicationEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('step', models.CharField(blank=True, choices=[('submitted', 'Submitted'), ('validating', 'Validation'), ('credit_check', 'Credit check'), ('risk_assessment', 'Risk assessment'), ('manager_approval', 'Manager approval'), ('fraud_check', 'Fraud check'), ('generating_offer', 'Offer'), ('offer_acceptance', 'Acceptance'), ('disbursing', 'Disbursement'), ('complete', 'Complete')], max_length=20)),
                ('level', models.CharField(choices=[('info', 'Info'), ('success', 'Success'), ('warning', 'Warning'), ('error', 'Error')], default='info', max_length=10)),
                ('kind', models.CharField(max_length=40)),
                ('message', models.TextField()),
                ('is_internal', models.BooleanField(default=False, help_text='Shown to staff only.')),
                ('request_id', models.CharField(blank=True, max_length=128)),
                ('data', models.JSONField(blank=True, default=dict)),
                ('key', models.CharField(editable=False, max_length=128, null=True, unique=True)),
                ('actor', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('partner', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='partners.partner')),
                ('partner_key', models.ForeignKey(db_index=False, help_text="The key of the partner's request.", null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='partners.partnerkey')),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='events', to='applications.loanapplication')),
            ],
            options={
                'ordering': ['id'],
                'indexes': [models.Index(fields=['application', 'id'], name='event_by_application'), models.Index(condition=models.Q(('actor__isnull', False)), fields=['application', 'actor', 'kind'], name='event_by_contributor'), models.Index(condition=models.Q(('partner_key__isnull', False)), fields=['application', 'partner_key', 'kind'], name='event_by_partner_key')],
            },
        ),
        migrations.CreateModel(
            name='ApplicationNote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('author_roles', models.TextField(blank=True)),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('text', models.TextField()),
                ('mentions', models.JSONField(blank=True, default=list)),
                ('application', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='notes', to='applications.loanapplication')),
                ('author', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-id'],
                'default_permissions': ('add',),
                'indexes': [models.Index(models.F('application'), models.OrderBy(models.F('id'), descending=True), name='note_by_application')],
            },
        ),
        migrations.CreateModel(
            name='LoanOffer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attempt', models.PositiveIntegerField()),
                ('offer_id', models.CharField(max_length=30, unique=True)),
                ('principal', models.DecimalField(decimal_places=2, max_digits=12)),
                ('currency', models.CharField(max_length=3)),
                ('annual_rate', models.DecimalField(decimal_places=2, max_digits=5)),
                ('term_months', models.PositiveSmallIntegerField()),
                ('monthly_payment', models.DecimalField(decimal_places=2, max_digits=15)),
                ('last_payment', models.DecimalField(decimal_places=2, max_digits=15)),
                ('total_interest', models.DecimalField(decimal_places=2, max_digits=15)),
                ('issued_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('expires_at', models.DateTimeField()),
                ('acceptance_required', models.BooleanField(default=False, help_text='The policy, or other terms in an earlier attempt, require it.')),
                ('accepted_in', models.PositiveIntegerField(blank=True, help_text='The earlier attempt in which these terms were accepted.', null=True)),
                ('accepted_at', models.DateTimeField(blank=True, null=True)),
                ('declined_at', models.DateTimeField(blank=True, null=True)),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='offers', to='applications.loanapplication')),
                ('letter', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='applications.document')),
            ],
            options={
                'ordering': ['application', 'attempt'],
                'constraints': [models.UniqueConstraint(fields=('application', 'attempt'), name='offer_once')],
            },
        ),
        migrations.CreateModel(
            name='Instalment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField()),
                ('payment', models.DecimalField(decimal_places=2, max_digits=15)),
                ('interest', models.DecimalField(decimal_places=2, max_digits=12)),
                ('principal', models.DecimalField(decimal_places=2, max_digits=12)),
                ('balance', models.DecimalField(decimal_places=2, max_digits=12)),
                ('offer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='instalments', to='applications.loanoffer')),
            ],
            options={
                'ordering': ['offer', 'number'],
                'constraints': [models.UniqueConstraint(fields=('offer', 'number'), name='instalment_once')],
            },
        ),
        migrations.CreateModel(
            name='RiskAssessment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attempt', models.PositiveIntegerField()),
                ('average_score', models.PositiveSmallIntegerField(help_text='Rounded; see ``mean_score``.')),
                ('score_sum', models.PositiveSmallIntegerField(help_text='Of the scores of all reports.')),
                ('score_count', models.PositiveSmallIntegerField(help_text='How many reports there were.')),
                ('derogatory_marks', models.PositiveSmallIntegerField()),
                ('missing_bureaus', models.JSONField(blank=True, default=list)),
                ('tier', models.CharField(choices=[('prime', 'Prime'), ('near_prime', 'Near-prime'), ('subprime', 'Subprime'), ('deep_subprime', 'Deep subprime')], max_length=20)),
                ('annual_rate', models.DecimalField(decimal_places=2, max_digits=5)),
                ('debt_to_income', models.DecimalField(decimal_places=2, help_text='Percent.', max_digits=15, null=True)),
                ('outcome', models.CharField(choices=[('approve', 'Approve'), ('refer', 'Refer'), ('decline', 'Decline')], max_length=10)),
                ('reasons', models.JSONField(blank=True, default=list)),
                ('assessed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='risk_assessments', to='applications.loanapplication')),
                ('policy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='lending.lendingpolicy')),
            ],
            options={
                'ordering': ['application', 'attempt'],
                'constraints': [models.UniqueConstraint(fields=('application', 'attempt'), name='risk_assessment_once')],
            },
        ),
        migrations.CreateModel(
            name='StoredUpload',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('path', models.CharField(max_length=300, unique=True)),
                ('begun_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('given_up_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['id'],
                'indexes': [models.Index(fields=['begun_at'], name='stored_upload_by_age')],
            },
        ),
        # The database itself refuses to change or delete a line.
        migrations.RunPython(protect_tables, release_tables),
    ]
