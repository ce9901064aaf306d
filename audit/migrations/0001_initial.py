import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from audit.append_only import protect, release

TABLES = ("audit_auditentry", "audit_seal", "audit_sealverification")


def protect_tables(apps, schema_editor):
    for table in TABLES:
        protect(schema_editor, table)


def release_tables(apps, schema_editor):
    for table in TABLES:
        release(schema_editor, table)


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('action', models.CharField(choices=[('viewed', 'Viewed'), ('revealed', 'Revealed'), ('downloaded', 'Downloaded'), ('exported', 'Exported'), ('created', 'Created'), ('changed', 'Changed'), ('deleted', 'Deleted'), ('submitted', 'Submitted'), ('decided', 'Decided'), ('withdrawn', 'Withdrawn'), ('claimed', 'Claimed or released'), ('operated', 'Operations'), ('published', 'Published'), ('proposed', 'Proposed'), ('confirmed', 'Proposal confirmed'), ('rejected', 'Proposal closed'), ('issued', 'Key issued'), ('revoked', 'Revoked'), ('signed_in', 'Signed in'), ('sign_in_failed', 'Sign-in failed'), ('locked_out', 'Locked out'), ('unlocked', 'Lockout lifted'), ('signed_out', 'Signed out'), ('password', 'Password changed'), ('second_factor', 'Second factor'), ('stepped_up', 'Identity confirmed'), ('invited', 'Invitation')], max_length=20)),
                ('message', models.TextField()),
                ('who', models.CharField(blank=True, max_length=200)),
                ('is_partner', models.BooleanField(default=False)),
                ('object_kind', models.CharField(blank=True, max_length=60, verbose_name='kind of object')),
                ('object_id', models.CharField(blank=True, max_length=64)),
                ('object_name', models.CharField(blank=True, max_length=200, verbose_name='object')),
                ('reference', models.CharField(blank=True, max_length=20)),
                ('changes', models.JSONField(blank=True, default=dict)),
                ('details', models.JSONField(blank=True, default=dict)),
                ('address', models.GenericIPAddressField(null=True, verbose_name='client address')),
                ('user_agent', models.CharField(blank=True, max_length=300)),
                ('request_id', models.CharField(blank=True, max_length=128)),
                ('actor', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'audit entry',
                'verbose_name_plural': 'audit log entries',
                'ordering': ['-at', '-id'],
                'permissions': [('export_auditentry', 'Can export the audit log')],
                'default_permissions': ('view',),
                'indexes': [models.Index(models.OrderBy(models.F('at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='audit_newest'), models.Index(models.F('action'), models.OrderBy(models.F('at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='audit_by_action'), models.Index(models.F('who'), models.OrderBy(models.F('at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='audit_by_who'), models.Index(models.F('object_kind'), models.OrderBy(models.F('at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='audit_by_kind'), models.Index(models.F('reference'), models.OrderBy(models.F('at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='audit_by_reference'), models.Index(models.F('request_id'), name='audit_by_request')],
            },
        ),
        migrations.CreateModel(
            name='Seal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveBigIntegerField(unique=True)),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('document', models.TextField()),
                ('hash', models.CharField(max_length=64)),
            ],
            options={
                'ordering': ['number'],
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='SealVerification',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('seal', models.PositiveBigIntegerField()),
                ('rows', models.PositiveBigIntegerField()),
                ('finding', models.TextField(blank=True)),
            ],
            options={
                'ordering': ['-id'],
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='SealingState',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('bounds', models.JSONField(default=dict)),
                ('writers', models.JSONField(default=list)),
                ('copied', models.PositiveBigIntegerField(default=0)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        # The database itself refuses to change or delete a line.
        migrations.RunPython(protect_tables, release_tables),
    ]
