import django.db.models.deletion
import django.utils.timezone
import partners.models
from django.conf import settings
from django.db import migrations, models


def unlogged(apps, schema_editor):
    """Counters need not survive a crash, and then no call waits until one is on the disk."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE partners_ratecounter SET UNLOGGED")


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Partner',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, unique=True)),
                ('is_active', models.BooleanField(default=True)),
                ('rate_limit', models.CharField(blank=True, db_default='', default='', help_text='How often it may call the API, as in 600/min (s, min, hour or day). Empty: as often as any partner.', max_length=20, validators=[partners.models.validate_rate])),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='RateCounter',
            fields=[
                ('name', models.CharField(max_length=80, primary_key=True, serialize=False)),
                ('full_at', models.BigIntegerField(help_text='Microseconds since 1970.')),
                ('allowed', models.BooleanField(help_text='Whether the last call was let through.')),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='IdempotencyKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('caller', models.CharField(help_text='As in partner/7 or staff/3.', max_length=40)),
                ('key', models.CharField(max_length=255)),
                ('method', models.CharField(max_length=10)),
                ('path', models.TextField()),
                ('fingerprint', models.CharField(help_text='SHA-256 of the method, the path and the body.', max_length=64)),
                ('response_status', models.PositiveSmallIntegerField(null=True)),
                ('response_body', models.TextField(blank=True)),
                ('response_headers', models.JSONField(default=dict, help_text='Those of the endpoint itself.')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'ordering': ['id'],
                'indexes': [models.Index(fields=['created_at'], name='idempotency_key_by_age')],
                'constraints': [models.UniqueConstraint(fields=('caller', 'key'), name='idempotency_key_once')],
            },
        ),
        migrations.CreateModel(
            name='PartnerKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('label', models.CharField(blank=True, max_length=100)),
                ('prefix', models.CharField(editable=False, help_text='How the key begins.', max_length=12)),
                ('key_hash', models.CharField(editable=False, max_length=64, unique=True)),
                ('scopes', models.JSONField(default=list)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('last_used_at', models.DateTimeField(editable=False, null=True)),
                ('form_id', models.UUIDField(editable=False, help_text='Of the form that it was issued with, so that one form issues one key.', null=True, unique=True)),
                ('partner', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='keys', to='partners.partner')),
                ('issued_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('proposed_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('replaces', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='rotated_to', to='partners.partnerkey')),
            ],
            options={
                'ordering': ['partner', '-created_at'],
            },
        ),
        migrations.RunPython(unlogged, migrations.RunPython.noop),
    ]
