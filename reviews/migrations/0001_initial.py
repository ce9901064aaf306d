import applications.choices
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from audit.append_only import protect, release

DECISIONS = "reviews_reviewdecision"
DECISIONS_MAY_CHANGE = ("late", "voided_at", "voided_because")
REQUESTS = "reviews_informationrequest"
REQUESTS_MAY_CHANGE = ("status", "answer", "answered_by_id", "answered_at", "cancelled_at")

# code, what the applicant reads, what it is a reason for, whether it asks for own words
APPROVAL, FRAUD, OFFER = "manager_approval", "fraud_review", "offer_acceptance"
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
    reason = apps.get_model("reviews", "DeclineReason")
    reason.objects.bulk_create(
        reason(
            code=code,
            text=text,
            asks_for_text=asks,
            position=10 * number,
            kinds=list(fits),
        )
        for number, (code, text, fits, asks) in enumerate(REASONS, start=1)
    )


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('applications', '0001_initial'),
        ('partners', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='BulkDecision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('token', models.UUIDField(help_text='Of the form: sent twice, it is the same run.')),
                ('outcome', models.CharField(choices=[('approve', 'Approve'), ('decline', 'Decline')], max_length=10)),
                ('reason', models.TextField(blank=True, help_text='As it was typed.')),
                ('reason_code', models.CharField(blank=True, max_length=40)),
                ('started_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('carried_on_at', models.DateTimeField(blank=True, help_text='Since when a process is at it; empty when none is.', null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('decided_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-started_at', '-id'],
                'indexes': [models.Index(fields=['decided_by', '-started_at', '-id'], name='bulk_by_person')],
                'constraints': [models.UniqueConstraint(fields=('decided_by', 'token'), name='bulk_decision_once')],
            },
        ),
        migrations.CreateModel(
            name='DeclineReason',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(help_text='Partners read it too, such as INCOME_NOT_VERIFIED. It never changes.', max_length=40, unique=True, validators=[django.core.validators.RegexValidator('^[A-Z][A-Z0-9_]*\\Z', 'Capital letters, digits and underscores.')])),
                ('text', models.CharField(help_text='One sentence, which the applicant and the partner read.', max_length=300)),
                ('kinds', models.JSONField(help_text='What may be declined for it.', verbose_name='for')),
                ('asks_for_text', models.BooleanField(default=False, help_text='It says too little alone: who decides has to add their own words.', verbose_name='asks for words')),
                ('active', models.BooleanField(default=True, help_text='Untick to retire it.')),
                ('position', models.PositiveSmallIntegerField(default=100, help_text='Lowest first.')),
            ],
            options={
                'ordering': ['position', 'code'],
                'constraints': [models.CheckConstraint(condition=models.Q(('kinds', []), _negated=True), name='decline_reason_fits_something', violation_error_message='Say what it is a reason for.')],
            },
        ),
        migrations.CreateModel(
            name='Delegation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('created_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('delegate', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='delegations_received', to=settings.AUTH_USER_MODEL)),
                ('delegator', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='delegations_given', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-starts_at', '-id'],
                'indexes': [models.Index(fields=['delegate', 'starts_at', 'ends_at'], name='delegation_by_delegate')],
                'constraints': [models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='delegation_ends_after_start', violation_error_message='The delegation has to end after it begins.'), models.CheckConstraint(condition=models.Q(('delegator', models.F('delegate')), _negated=True), name='delegation_to_somebody_else', violation_error_message='Choose somebody else: nobody stands in for themselves.'), models.UniqueConstraint(condition=models.Q(('revoked_at__isnull', True)), fields=('delegator', 'delegate', 'starts_at', 'ends_at'), name='delegation_once', violation_error_message='This delegation exists already.')],
            },
        ),
        migrations.CreateModel(
            name='ReviewTask',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attempt', models.PositiveIntegerField()),
                ('kind', models.CharField(choices=[('manager_approval', 'Manager approval'), ('fraud_review', 'Fraud review'), ('offer_acceptance', 'Offer acceptance')], max_length=20)),
                ('number', models.PositiveSmallIntegerField(db_default=1, default=1, help_text='Counts the tasks of this kind in the attempt, from 1.')),
                ('status', models.CharField(choices=[('open', 'Open'), ('decided', 'Decided'), ('expired', 'Expired'), ('cancelled', 'Cancelled')], default='open', max_length=10)),
                ('assigned_role', models.CharField(choices=applications.choices.waiting_choices, max_length=20)),
                ('approvals_required', models.PositiveSmallIntegerField(default=1)),
                ('reasons', models.JSONField(blank=True, default=list, help_text='Why a person is asked.')),
                ('outcome', models.CharField(blank=True, choices=[('approve', 'Approve'), ('refer', 'Refer'), ('decline', 'Decline')], max_length=10)),
                ('opened_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('due_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('reminded_at', models.DateTimeField(blank=True, help_text='When the deciders were reminded that it is due.', null=True)),
                ('escalated_at', models.DateTimeField(blank=True, help_text='When it was handed up to senior managers.', null=True)),
                ('undecidable_since', models.DateTimeField(blank=True, help_text='Since when nobody in the office can decide it.', null=True)),
                ('sent_back_at', models.DateTimeField(blank=True, help_text='Since when a question about it waits for an answer.', null=True)),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('claimed_at', models.DateTimeField(blank=True, null=True)),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='review_tasks', to='applications.loanapplication')),
                ('claimed_by', models.ForeignKey(blank=True, help_text='Who said that they are on it, when they have not decided yet.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['due_at', 'id'],
                'permissions': [('decide_manager_approval', 'Can decide manager approvals'), ('decide_fraud_review', 'Can decide fraud reviews'), ('record_offer_acceptance', "Can record an applicant's answer to an offer")],
                'indexes': [models.Index(fields=['status', 'kind', 'due_at'], name='task_open_by_due'), models.Index(fields=['due_at', 'id'], name='task_by_due'), models.Index(fields=['status', 'due_at', 'id'], name='task_by_status'), models.Index(fields=['status', 'opened_at', 'due_at'], name='task_open_by_age'), models.Index(condition=models.Q(('sent_back_at__isnull', False)), fields=['application'], name='task_sent_back')],
                'constraints': [models.UniqueConstraint(fields=('application', 'attempt', 'kind', 'number'), name='review_task_once'), models.CheckConstraint(condition=models.Q(models.Q(('outcome__in', ['approve', 'decline']), ('status', 'decided')), models.Q(models.Q(('status', 'decided'), _negated=True), ('outcome', '')), _connector='OR'), name='review_task_decided_has_outcome')],
            },
        ),
        migrations.CreateModel(
            name='ReviewDecision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('late', models.BooleanField(db_default=False, default=False, help_text='It came after the wait had ended: kept, not applied.')),
                ('voided_at', models.DateTimeField(blank=True, help_text='Since when the approval does not count any more.', null=True)),
                ('voided_because', models.CharField(blank=True, max_length=200)),
                ('outcome', models.CharField(choices=[('approve', 'Approve'), ('decline', 'Decline')], max_length=10)),
                ('reason', models.TextField(blank=True, help_text='The whole of it as the applicant reads it, or a note for staff.')),
                ('reason_code', models.CharField(blank=True, db_default='', help_text='Of the catalogue, if one was chosen.', max_length=40)),
                ('reason_text', models.CharField(blank=True, db_default='', help_text='How the catalogue read then.', max_length=300)),
                ('application_version', models.PositiveIntegerField()),
                ('decided_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('decided_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('on_behalf_of', models.ForeignKey(blank=True, help_text='Whose right the decider used, under a delegation.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('partner', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='partners.partner')),
                ('task', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='decisions', to='reviews.reviewtask')),
            ],
            options={
                'ordering': ['decided_at', 'id'],
                'indexes': [models.Index(fields=['decided_at', 'id'], name='decision_by_time'), models.Index(fields=['decided_by', 'decided_at'], name='decision_by_person')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('voided_at__isnull', True)), fields=('task', 'decided_by'), name='one_decision_a_person'), models.UniqueConstraint(condition=models.Q(('partner__isnull', False), ('voided_at__isnull', True)), fields=('task', 'partner'), name='one_decision_a_partner'), models.UniqueConstraint(condition=models.Q(('late', False), ('outcome', 'decline')), fields=('task',), name='one_decline_a_task'), models.CheckConstraint(condition=models.Q(models.Q(('decided_by__isnull', False), ('partner__isnull', True)), models.Q(('decided_by__isnull', True), ('partner__isnull', False)), _connector='OR'), name='decision_has_one_decider'), models.CheckConstraint(condition=models.Q(('outcome', 'approve'), models.Q(('reason', ''), _negated=True), _connector='OR'), name='decline_has_a_reason'), models.CheckConstraint(condition=models.Q(models.Q(('voided_at__isnull', True), ('voided_because', '')), models.Q(('outcome', 'approve'), ('voided_at__isnull', False), models.Q(('voided_because', ''), _negated=True)), _connector='OR'), name='approval_voided_for_a_reason')],
            },
        ),
        migrations.CreateModel(
            name='BulkDecisionRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.PositiveIntegerField()),
                ('state', models.CharField(choices=[('waiting', 'Not reached yet'), ('decided', 'Decided'), ('repeated', 'Decided so before, by the same person'), ('refused', 'Not decided')], default='waiting', max_length=10)),
                ('why', models.TextField(blank=True, help_text='Why it was not decided.')),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='applications.loanapplication')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rows', to='reviews.bulkdecision')),
                ('task', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='bulk_rows', to='reviews.reviewtask')),
            ],
            options={
                'ordering': ['application_id', 'id'],
                'constraints': [models.UniqueConstraint(fields=('run', 'task'), name='bulk_decision_row_once')],
            },
        ),
        migrations.CreateModel(
            name='InformationRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField(help_text='Counts the questions of the task, from 1.')),
                ('status', models.CharField(choices=[('open', 'Open'), ('answered', 'Answered'), ('cancelled', 'Cancelled')], default='open', max_length=10)),
                ('message', models.TextField()),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('answer', models.TextField(blank=True)),
                ('answered_at', models.DateTimeField(blank=True, null=True)),
                ('cancelled_at', models.DateTimeField(blank=True, null=True)),
                ('answered_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('asked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('on_behalf_of', models.ForeignKey(blank=True, help_text='Whose right to decide was used, under a delegation.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('task', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='information_requests', to='reviews.reviewtask')),
            ],
            options={
                'ordering': ['task_id', 'number'],
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('task', 'number'), name='information_request_once'), models.UniqueConstraint(condition=models.Q(('status', 'open')), fields=('task',), name='information_request_one_open'), models.CheckConstraint(condition=models.Q(('message', ''), _negated=True), name='information_request_asks'), models.CheckConstraint(condition=models.Q(models.Q(models.Q(('answer', ''), _negated=True), models.Q(('answered_by', models.F('asked_by')), _negated=True), ('answered_at__isnull', False), ('answered_by__isnull', False), ('cancelled_at__isnull', True), ('status', 'answered')), models.Q(models.Q(models.Q(('cancelled_at__isnull', True), ('status', 'open')), models.Q(('cancelled_at__isnull', False), ('status', 'cancelled')), _connector='OR'), ('answer', ''), ('answered_at__isnull', True), ('answered_by__isnull', True)), _connector='OR'), name='information_request_ended_one_way')],
            },
        ),
        migrations.CreateModel(
            name='Notification',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('second_approval', 'Second approval needed'), ('scarce_approval', 'Second approval at risk'), ('sent_back', 'Sent back'), ('answered', 'Answered'), ('to_confirm', 'To confirm'), ('proposal_closed', 'Your proposal'), ('mention', 'You were mentioned')], max_length=20)),
                ('key', models.CharField(help_text='A notification with this key is written once.', max_length=200, unique=True)),
                ('sentence', models.TextField()),
                ('path', models.CharField(help_text='The page it leads to, without a stage.', max_length=200)),
                ('subject', models.CharField(blank=True, help_text='What it is about when that is no task: proposal/7.', max_length=40)),
                ('created_at', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                ('read_at', models.DateTimeField(blank=True, null=True)),
                ('digest_on', models.DateField(blank=True, help_text="The office's day whose digest was written with it.", null=True)),
                ('task', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='notifications', to='reviews.reviewtask')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='notifications', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-id'],
                'default_permissions': (),
                'indexes': [models.Index(condition=models.Q(('read_at__isnull', True)), fields=['user'], name='notification_unread'), models.Index(models.F('user'), models.OrderBy(models.F('id'), descending=True), name='notification_newest'), models.Index(condition=models.Q(('read_at__isnull', True), models.Q(('subject', ''), _negated=True)), fields=['subject'], name='notification_by_subject')],
            },
        ),
        migrations.CreateModel(
            name='MailChoice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('mode', models.CharField(choices=[('digest', 'What is urgent at once, the rest in one e-mail a day'), ('at_once', 'Each e-mail at once'), ('urgent', 'Only what is urgent, at once'), ('none', 'None: I look at the bell and the front page')], default='digest', max_length=10)),
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='mail_choice', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        # What lenders usually say in the catalogue of decline reasons.
        migrations.RunPython(fill, migrations.RunPython.noop),
        # The database itself refuses to change or delete a decision.
        migrations.RunPython(
            lambda apps, schema_editor: protect(
                schema_editor, DECISIONS, may_change=DECISIONS_MAY_CHANGE
            ),
            lambda apps, schema_editor: release(schema_editor, DECISIONS),
        ),
        # Nor a question, nor anything of one that was answered or cancelled.
        migrations.RunPython(
            lambda apps, schema_editor: protect(
                schema_editor,
                REQUESTS,
                may_change=REQUESTS_MAY_CHANGE,
                ended_by="OLD.status <> 'open'",
            ),
            lambda apps, schema_editor: release(schema_editor, REQUESTS),
        ),
    ]
