import core.traces.spans
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('applications', '0001_initial'),
        ('reviews', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='PeriodicRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=40, unique=True)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('result', models.JSONField(blank=True, default=dict)),
                ('place', models.JSONField(blank=True, default=dict)),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='SimulatedPayout',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('idempotency_key', models.CharField(max_length=64, unique=True)),
                ('reference', models.CharField(max_length=100)),
                ('amount', models.DecimalField(decimal_places=2, max_digits=12)),
                ('currency', models.CharField(max_length=3)),
                ('requests', models.PositiveIntegerField(default=1)),
                ('paid_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'ordering': ['-paid_at'],
            },
        ),
        migrations.CreateModel(
            name='SweepRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('minute', models.DateTimeField(help_text='When it ended, without the seconds.', unique=True)),
                ('ended_at', models.DateTimeField()),
                ('seconds', models.FloatField(help_text='How long it took.')),
                ('outbox_pending', models.PositiveIntegerField()),
                ('outbox_oldest_seconds', models.PositiveIntegerField()),
                ('incidents_open', models.PositiveIntegerField()),
                ('tasks_overdue', models.PositiveIntegerField()),
                ('engine_error', models.CharField(blank=True, help_text='Why the engine was not reached; empty when it was.', max_length=300)),
            ],
            options={
                'verbose_name': 'sweep',
                'verbose_name_plural': 'system',
                'ordering': ['-minute'],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='Execution',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attempt', models.PositiveIntegerField()),
                ('name', models.CharField(max_length=64, unique=True)),
                ('arn', models.CharField(blank=True, max_length=500, null=True, unique=True)),
                ('status', models.CharField(choices=[('QUEUED', 'Queued'), ('RUNNING', 'Running'), ('SUCCEEDED', 'Succeeded'), ('FAILED', 'Failed'), ('TIMED_OUT', 'Timed out'), ('STOPPED', 'Stopped')], default='QUEUED', max_length=10)),
                ('request_id', models.CharField(blank=True, max_length=128)),
                ('traceparent', models.CharField(blank=True, db_default='', default=core.traces.spans.traceparent, help_text="The span that wrote it, as W3C's traceparent.", max_length=55)),
                ('result', models.JSONField(blank=True, default=dict)),
                ('error', models.TextField(blank=True)),
                ('queued_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('paused_at', models.DateTimeField(blank=True, help_text='Since when Operations holds it; empty when it runs.', null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='executions', to='applications.loanapplication')),
            ],
            options={
                'ordering': ['-queued_at', '-id'],
                'permissions': [('restart_execution', 'Can restart an application'), ('reconcile_execution', 'Can compare the record with the engine'), ('stop_execution', 'Can stop, pause and resume an execution'), ('resend_message', 'Can resend outgoing messages')],
                'indexes': [models.Index(models.OrderBy(models.F('queued_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='execution_newest'), models.Index(models.F('status'), models.OrderBy(models.F('queued_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='execution_by_status')],
                'constraints': [models.UniqueConstraint(fields=('application', 'attempt'), name='execution_once')],
            },
        ),
        migrations.CreateModel(
            name='OutboxMessage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('start_execution', 'Start an execution'), ('answer_callback', 'Answer a callback'), ('stop_execution', 'Stop an execution'), ('pause_execution', 'Pause an execution'), ('resume_execution', 'Resume an execution'), ('email', 'E-mail'), ('webhook', 'Webhook')], max_length=20)),
                ('key', models.CharField(help_text='A message with this key is written once.', max_length=200, unique=True)),
                ('application', models.ForeignKey(blank=True, help_text='What an e-mail is about; other messages belong to an execution.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='messages', to='applications.loanapplication')),
                ('payload', models.JSONField(default=dict)),
                ('traceparent', models.CharField(blank=True, db_default='', default=core.traces.spans.traceparent, help_text="The span that wrote it, as W3C's traceparent.", max_length=55)),
                ('recipient', models.CharField(blank=True, db_default='', default='', help_text='The webhook endpoint. Only a few messages are under way to one of them at once.', max_length=40)),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('sent', 'Sent'), ('dead', 'Given up'), ('cancelled', 'Cancelled')], default='pending', max_length=10)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('due_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('leased_until', models.DateTimeField(blank=True, null=True)),
                ('last_error', models.TextField(blank=True)),
                ('failures', models.JSONField(blank=True, default=list, help_text='When each try failed, and why; the latest ones.')),
                ('letter', models.JSONField(blank=True, help_text='An e-mail as it was sent: to whom, masked; subject; text, unless it is secret.', null=True)),
                ('note', models.CharField(blank=True, help_text='Why nothing was sent, though nothing failed.', max_length=200)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('sent_at', models.DateTimeField(blank=True, null=True)),
                ('execution', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='messages', to='workflows.execution')),
            ],
            options={
                'ordering': ['id'],
                'indexes': [models.Index(condition=models.Q(('status', 'pending')), fields=['due_at', 'id'], name='outbox_due'), models.Index(models.F('status'), models.OrderBy(models.F('id'), descending=True), name='outbox_by_status'), models.Index(models.F('kind'), models.OrderBy(models.F('id'), descending=True), name='outbox_by_kind')],
            },
        ),
        migrations.CreateModel(
            name='Incident',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('workflow_failed', 'Workflow failed'), ('fraud_unanswered', 'Fraud check not answered'), ('contradiction', 'Contradicting answers'), ('payout_unknown', 'Payout outcome unknown'), ('payout_refused', 'Payout refused'), ('delivery_failed', 'Delivery failed'), ('decision_late', 'Decision came too late'), ('engine_disagrees', 'Engine and record disagree'), ('stopped', 'Stopped by Operations'), ('answer_differs', 'Answer is not on record'), ('not_approved', 'Decisions are missing'), ('flagged_after_payout', 'Flagged after the payout'), ('nobody_can_decide', 'Nobody can decide')], max_length=20)),
                ('key', models.CharField(help_text='Open at most once at a time.', max_length=200)),
                ('sentence', models.TextField()),
                ('status', models.CharField(choices=[('open', 'Open'), ('acknowledged', 'Acknowledged'), ('resolved', 'Resolved')], default='open', max_length=12)),
                ('opened_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('acknowledged_at', models.DateTimeField(blank=True, null=True)),
                ('resolved_at', models.DateTimeField(blank=True, null=True)),
                ('note', models.TextField(blank=True)),
                ('acknowledged_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='incidents', to='applications.loanapplication')),
                ('execution', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='incidents', to='workflows.execution')),
                ('resolved_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('message', models.ForeignKey(blank=True, help_text='What did not get through, when that is what happened.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='incidents', to='workflows.outboxmessage')),
            ],
            options={
                'ordering': [models.OrderBy(models.F('opened_at'), descending=True)],
                'indexes': [models.Index(models.F('status'), models.OrderBy(models.F('opened_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='incident_by_status'), models.Index(models.OrderBy(models.F('opened_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='incident_newest'), models.Index(models.Func(models.F('status'), output_field=models.IntegerField(), template="CASE %(expressions)s WHEN 'open' THEN 0 WHEN 'acknowledged' THEN 1 ELSE 2 END"), models.OrderBy(models.F('opened_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='incident_by_urgency')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('status', 'resolved'), _negated=True), fields=('key',), name='incident_open_once')],
            },
        ),
        migrations.CreateModel(
            name='PendingCallback',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text="The operation's name in the workflow.", max_length=40)),
                ('callback_id', models.CharField(max_length=1024, unique=True)),
                ('traceparent', models.CharField(blank=True, db_default='', default=core.traces.spans.traceparent, help_text="The span that wrote it, as W3C's traceparent.", max_length=55)),
                ('status', models.CharField(choices=[('open', 'Open'), ('answered', 'Answered, not delivered'), ('delivered', 'Delivered'), ('expired', 'Expired'), ('cancelled', 'Cancelled')], default='open', max_length=10)),
                ('answer', models.JSONField(blank=True, null=True)),
                ('opened_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('expires_at', models.DateTimeField()),
                ('answered_at', models.DateTimeField(blank=True, null=True)),
                ('delivered_at', models.DateTimeField(blank=True, null=True)),
                ('flagged_at', models.DateTimeField(blank=True, help_text='When the fraud check first flagged the application here, applied or not.', null=True)),
                ('execution', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='callbacks', to='workflows.execution')),
                ('review_task', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='callback', to='reviews.reviewtask')),
                ('flag_review', models.ForeignKey(blank=True, help_text='The review that looks at the flag.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='flags', to='reviews.reviewtask')),
            ],
            options={
                'ordering': ['-opened_at', '-id'],
                'indexes': [models.Index(models.OrderBy(models.F('opened_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='callback_newest'), models.Index(models.F('status'), models.OrderBy(models.F('opened_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='callback_by_status')],
                'constraints': [models.UniqueConstraint(fields=('execution', 'name'), name='callback_once'), models.CheckConstraint(condition=models.Q(models.Q(('status__in', ['answered', 'delivered']), _negated=True), ('answer__isnull', False), _connector='OR'), name='callback_answered_has_answer')],
            },
        ),
        migrations.AddField(
            model_name='outboxmessage',
            name='callback',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='messages', to='workflows.pendingcallback'),
        ),
        migrations.CreateModel(
            name='CallbackToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('token_hash', models.CharField(max_length=64, unique=True)),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('callback', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='tokens', to='workflows.pendingcallback')),
            ],
        ),
        migrations.CreateModel(
            name='CallbackRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('identifier', models.CharField(max_length=255, unique=True)),
                ('digest', models.CharField(help_text='SHA-256 of the body.', max_length=64)),
                ('outcome', models.CharField(choices=[('accepted', 'Accepted'), ('contradicted', 'Said otherwise before'), ('late', 'Answered too late'), ('closed', 'Nobody waited')], default='accepted', max_length=12)),
                ('received_at', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                ('callback', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='requests', to='workflows.pendingcallback')),
            ],
        ),
    ]
