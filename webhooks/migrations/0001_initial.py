import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('applications', '0001_initial'),
        ('partners', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='WebhookDelivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('delivered', 'Delivered'), ('failed', 'Failed')], default='pending', max_length=10)),
                ('round', models.PositiveIntegerField(default=1)),
                ('event_type', models.CharField(blank=True, db_default='', default='', max_length=40)),
                ('attempts', models.PositiveIntegerField(db_default=0, default=0, verbose_name='tries')),
                ('last_attempt_at', models.DateTimeField(blank=True, null=True, verbose_name='last try')),
                ('last_status_code', models.PositiveSmallIntegerField(db_default=0, default=0, help_text='What the last try was answered; 0: it was not.')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('delivered_at', models.DateTimeField(blank=True, null=True)),
                ('partner', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='partners.partner')),
            ],
            options={
                'verbose_name_plural': 'webhook deliveries',
                'ordering': ['-id'],
                'permissions': [('resend_webhookdelivery', 'Can send a webhook again')],
                'indexes': [models.Index(models.F('status'), models.OrderBy(models.F('id'), descending=True), name='webhook_by_status'), models.Index(models.F('partner'), models.OrderBy(models.F('id'), descending=True), name='webhook_by_partner')],
            },
        ),
        migrations.CreateModel(
            name='WebhookAttempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('address', models.CharField(blank=True, help_text='The IP address called.', max_length=45)),
                ('request_headers', models.JSONField(default=dict)),
                ('status_code', models.PositiveSmallIntegerField(default=0)),
                ('response', models.TextField(blank=True, help_text='The beginning of the answer.')),
                ('error', models.TextField(blank=True)),
                ('took_ms', models.PositiveIntegerField(default=0)),
                ('delivery', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='tries', to='webhooks.webhookdelivery')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='WebhookEndpoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('url', models.URLField(max_length=500, verbose_name='URL')),
                ('event_types', models.JSONField(blank=True, default=list, help_text='Empty: every type.')),
                ('status', models.CharField(choices=[('active', 'Active'), ('disabled', 'Disabled')], default='active', max_length=10)),
                ('disabled_at', models.DateTimeField(blank=True, null=True)),
                ('disabled_why', models.CharField(blank=True, max_length=200)),
                ('secret', models.CharField(editable=False, max_length=100)),
                ('previous_secret', models.CharField(blank=True, editable=False, max_length=100)),
                ('previous_until', models.DateTimeField(blank=True, help_text='Until then the secret before signs as well.', null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('partner', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='webhooks', to='partners.partner')),
            ],
            options={
                'ordering': ['partner', 'id'],
            },
        ),
        migrations.AddField(
            model_name='webhookdelivery',
            name='endpoint',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='webhooks.webhookendpoint'),
        ),
        migrations.CreateModel(
            name='WebhookEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.CharField(max_length=40, unique=True)),
                ('type', models.CharField(max_length=40)),
                ('payload', models.TextField(help_text='The body as it is sent, to the byte.')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('application', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='webhook_events', to='applications.loanapplication')),
                ('partner', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='webhook_events', to='partners.partner')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(models.F('partner'), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='webhook_event_newest'), models.Index(models.F('partner'), models.F('type'), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='webhook_event_by_type'), models.Index(fields=['created_at', 'id'], name='webhook_event_by_age')],
            },
        ),
        migrations.AddField(
            model_name='webhookdelivery',
            name='event',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='webhooks.webhookevent'),
        ),
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(models.F('event_type'), models.OrderBy(models.F('id'), descending=True), name='webhook_by_type'),
        ),
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(models.F('endpoint'), models.OrderBy(models.F('id'), descending=True), name='webhook_by_endpoint'),
        ),
        migrations.AddConstraint(
            model_name='webhookdelivery',
            constraint=models.UniqueConstraint(fields=('event', 'endpoint'), name='webhook_delivery_once'),
        ),
    ]
