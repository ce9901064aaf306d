"""Who sent a document, files that no document has taken yet, one answer a partner."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('applications', '0014_dashboard_indexes'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
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
            },
        ),
        migrations.AddField(
            model_name='document',
            name='partner',
            field=models.ForeignKey(blank=True, db_index=False, help_text='Who sent it; a letter that we made was sent by nobody.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='applications.partner'),
        ),
        migrations.AddConstraint(
            model_name='reviewdecision',
            constraint=models.UniqueConstraint(condition=models.Q(('partner__isnull', False)), fields=('task', 'partner'), name='one_decision_a_partner'),
        ),
        migrations.AddIndex(
            model_name='storedupload',
            index=models.Index(fields=['begun_at'], name='stored_upload_by_age'),
        ),
    ]
