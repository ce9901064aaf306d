"""Operations of pending migrations: those that older code cannot live with, and harmless ones."""

from workflows.deploy_check.migration_safety import OPAQUE

DROP_PHONE = "migrations.RemoveField('loanapplication', 'phone')"
PHONE = "applications_loanapplication.phone"
CHAR = "models.CharField(max_length={}, blank=True{})"
DANGEROUS: dict[str, tuple[str, str]] = {
    "field removed": (DROP_PHONE, f"The column {PHONE} is gone"),
    "model deleted": (
        "migrations.DeleteModel('Instalment')",
        "The table applications_instalment is gone",
    ),
    "field renamed": (
        "migrations.RenameField('loanapplication', 'phone', 'telephone')",
        f"The column {PHONE} is gone",
    ),
    "model renamed": (
        "migrations.RenameModel('Instalment', 'Payment')",
        "The table applications_instalment is gone",
    ),
    "table renamed": (
        "migrations.AlterModelTable('instalment', 'payments')",
        "The table applications_instalment is gone",
    ),
    "column renamed": (
        f"migrations.AlterField('loanapplication', 'phone', "
        f"{CHAR.format(40, ', db_column="telephone"')})",
        f"The column {PHONE} is gone",
    ),
    "made not null": (
        "migrations.AlterField('loanapplication', 'annual_income', "
        "models.DecimalField(max_digits=12, decimal_places=2, default=1))",
        "applications_loanapplication.annual_income is never empty afterwards",
    ),
    "made not null with a default in the database, which NULL by name passes by": (
        "migrations.AlterField('loanapplication', 'annual_income', "
        "models.DecimalField(max_digits=12, decimal_places=2, db_default=1))",
        "applications_loanapplication.annual_income is never empty afterwards",
    ),
    "made shorter": (
        f"migrations.AlterField('loanapplication', 'phone', {CHAR.format(20, '')})",
        f"The column {PHONE} holds 20 characters afterwards",
    ),
    "fewer digits": (
        "migrations.AlterField('loanapplication', 'loan_amount', "
        "models.DecimalField(max_digits=12, decimal_places=4))",
        "applications_loanapplication.loan_amount holds fewer digits",
    ),
    "fewer decimals": (
        "migrations.AlterField('loanapplication', 'loan_amount', "
        "models.DecimalField(max_digits=12, decimal_places=0))",
        "applications_loanapplication.loan_amount holds fewer digits",
    ),
    "other type": (
        "migrations.AlterField('loanapplication', 'term_months', models.CharField(max_length=3))",
        "applications_loanapplication.term_months becomes varchar",
    ),
    "new column to be filled": (
        "migrations.AddField('loanapplication', 'flag', models.BooleanField(default=False))",
        "applications_loanapplication.flag has to be filled",
    ),
    "new order column": (
        "migrations.AlterOrderWithRespectTo('document', 'application')",
        "applications_document._order has to be filled",
    ),
    "new column filled by the database no more": (
        "migrations.AddField('loanapplication', 'flag', models.BooleanField(db_default=False)),"
        "migrations.AlterField('loanapplication', 'flag', models.BooleanField(default=False))",
        "applications_loanapplication.flag has to be filled",
    ),
    "python": ("migrations.RunPython(lambda apps, editor: None)", OPAQUE),
    "sql": ("migrations.RunSQL('DELETE FROM applications_document')", OPAQUE),
    "operation of our own": ("Own()", OPAQUE),
    "database part": (
        f"migrations.SeparateDatabaseAndState(database_operations=[{DROP_PHONE}])",
        f"The column {PHONE} is gone",
    ),
    "sql in a database part": (
        "migrations.SeparateDatabaseAndState("
        f"database_operations=[migrations.RunSQL('DROP')], state_operations=[{DROP_PHONE}])",
        OPAQUE,
    ),
    "sql that says what it does": (
        f"migrations.RunSQL('DROP', state_operations=[{DROP_PHONE}])",
        f"The column {PHONE} is gone",
    ),
}
HARMLESS: dict[str, str] = {
    "nothing": "",
    "help text": "migrations.AlterField('loanapplication', 'phone', "
    + CHAR.format(40, ", help_text='x'")
    + ")",
    "longer": f"migrations.AlterField('loanapplication', 'phone', {CHAR.format(80, '')})",
    "more digits": "migrations.AlterField('loanapplication', 'loan_amount', "
    "models.DecimalField(max_digits=14, decimal_places=2))",
    "made nullable": "migrations.AlterField('loanapplication', 'phone', "
    + CHAR.format(40, ", null=True")
    + ")",
    "field renamed that keeps its column": "migrations.AlterField('loanapplication', 'phone', "
    + CHAR.format(40, ", db_column='phone'")
    + "), migrations.RenameField('loanapplication', 'phone', 'telephone')",
    "model renamed that keeps its table": "migrations.AlterModelTable('instalment', "
    "'applications_instalment'), migrations.RenameModel('Instalment', 'Payment')",
    "new column that may be empty": "migrations.AddField('loanapplication', 'flag', "
    "models.BooleanField(null=True))",
    "new column filled by the database": "migrations.AddField('loanapplication', 'flag', "
    "models.BooleanField(db_default=False))",
    "new relation": "migrations.AddField('loanapplication', 'readers', "
    "models.ManyToManyField(settings.AUTH_USER_MODEL))",
    "table that no older code knows": "migrations.CreateModel('Note', "
    "[('id', models.BigAutoField(primary_key=True)), ('text', models.TextField())]), "
    "migrations.AddField('note', 'flag', models.BooleanField(default=False)), "
    "migrations.RemoveField('note', 'text'), migrations.DeleteModel('Note')",
    "column that no older code knows": "migrations.AddField('loanapplication', 'flag', "
    "models.BooleanField(null=True)), migrations.RemoveField('loanapplication', 'flag')",
    "state only": f"migrations.SeparateDatabaseAndState(state_operations=[{DROP_PHONE}])",
    "no python": "migrations.RunPython(migrations.RunPython.noop)",
    "no sql": "migrations.RunSQL(migrations.RunSQL.noop)",
    "index": "migrations.AddIndex('loanapplication', "
    "models.Index(fields=['phone'], name='by_phone'))",
}
