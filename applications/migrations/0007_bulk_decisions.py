"""Bulk decisions are stored: what was asked of which rows, and what became of each."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('applications', '0006_claims'),
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
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rows', to='applications.bulkdecision')),
                ('task', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='bulk_rows', to='applications.reviewtask')),
            ],
            options={
                'ordering': ['application_id', 'id'],
            },
        ),
        migrations.AddIndex(
            model_name='bulkdecision',
            index=models.Index(fields=['decided_by', '-started_at', '-id'], name='bulk_by_person'),
        ),
        migrations.AddConstraint(
            model_name='bulkdecision',
            constraint=models.UniqueConstraint(fields=('decided_by', 'token'), name='bulk_decision_once'),
        ),
        migrations.AddConstraint(
            model_name='bulkdecisionrow',
            constraint=models.UniqueConstraint(fields=('run', 'task'), name='bulk_decision_row_once'),
        ),
    ]
