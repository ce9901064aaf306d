"""What the lists of webhooks are found by. The tables are as new as the release before."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ('applications', '0014_dashboard_indexes'),
        ('workflows', '0010_webhooks'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='webhookevent',
            name='webhook_event_by_partner',
        ),
        migrations.AddField(
            model_name='outboxmessage',
            name='recipient',
            field=models.CharField(blank=True, db_default='', default='', help_text='Who is slow alone: to one of them only a few messages are under way at once.', max_length=40),
        ),
        migrations.AddField(
            model_name='webhookdelivery',
            name='attempts',
            field=models.PositiveIntegerField(db_default=0, default=0, verbose_name='tries'),
        ),
        migrations.AddField(
            model_name='webhookdelivery',
            name='event_type',
            field=models.CharField(blank=True, db_default='', default='', max_length=40),
        ),
        migrations.AddField(
            model_name='webhookdelivery',
            name='last_attempt_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='last try'),
        ),
        migrations.AddField(
            model_name='webhookdelivery',
            name='last_status_code',
            field=models.PositiveSmallIntegerField(db_default=0, default=0, help_text='What the last try was answered; 0: it was not.'),
        ),
        migrations.AddField(
            model_name='webhookdelivery',
            name='partner',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='applications.partner'),
        ),
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(models.F('partner'), models.OrderBy(models.F('id'), descending=True), name='webhook_by_partner'),
        ),
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(models.F('event_type'), models.OrderBy(models.F('id'), descending=True), name='webhook_by_type'),
        ),
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(models.F('endpoint'), models.OrderBy(models.F('id'), descending=True), name='webhook_by_endpoint'),
        ),
        migrations.AddIndex(
            model_name='webhookevent',
            index=models.Index(models.F('partner'), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='webhook_event_newest'),
        ),
        migrations.AddIndex(
            model_name='webhookevent',
            index=models.Index(models.F('partner'), models.F('type'), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='webhook_event_by_type'),
        ),
        migrations.AddIndex(
            model_name='webhookevent',
            index=models.Index(fields=['created_at', 'id'], name='webhook_event_by_age'),
        ),
    ]
