"""The roles of the back office as groups, with the permissions that each one has.

Permissions are normally made after all migrations, so the ones that are granted here
are made here; Django finds them afterwards and leaves them alone.
"""

from django.db import migrations

EVERYTHING = {
    "applications": (
        "partner",
        "lendingpolicy",
        "policytier",
        "loanapplication",
        "document",
        "creditreport",
        "riskassessment",
        "reviewtask",
        "reviewdecision",
        "loanoffer",
        "instalment",
        "disbursement",
        "applicationevent",
    ),
    "workflows": ("execution", "pendingcallback", "outboxmessage", "incident"),
}
MANAGER = ("applications.reviewtask.decide_manager_approval",)
GRANTS = {
    "Loan officer": (
        "applications.loanapplication.add_loanapplication",
        "applications.loanapplication.change_loanapplication",
        "applications.loanapplication.submit_loanapplication",
        "applications.loanapplication.withdraw_loanapplication",
        "applications.document.add_document",
        "applications.reviewtask.record_offer_acceptance",
    ),
    "Manager": MANAGER,
    "Senior manager": (*MANAGER, "applications.reviewtask.decide_above_ceiling"),
    "Risk analyst": ("applications.reviewtask.decide_fraud_review",),
    "Operations": (
        "workflows.execution.restart_execution",
        "workflows.execution.stop_execution",
        "workflows.execution.resend_message",
        "workflows.incident.change_incident",
    ),
    "Policy owner": (
        "applications.lendingpolicy.add_lendingpolicy",
        "applications.lendingpolicy.change_lendingpolicy",
        "applications.lendingpolicy.publish_lendingpolicy",
        "applications.policytier.add_policytier",
        "applications.policytier.change_policytier",
        "applications.policytier.delete_policytier",
    ),
    "Auditor": (),
}


def grant(apps, schema_editor):
    group_model = apps.get_model("auth", "Group")
    for role, granted in GRANTS.items():
        group, _ = group_model.objects.get_or_create(name=role)
        group.permissions.add(*[permission(apps, dotted) for dotted in granted])
        group.permissions.add(
            *[
                permission(apps, f"{app}.{model}.view_{model}")
                for app, models in EVERYTHING.items()
                for model in models
            ]
        )


def permission(apps, dotted):
    app, model, codename = dotted.split(".")
    content_type, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label=app, model=model
    )
    options = apps.get_model(app, model)._meta
    custom = dict(options.permissions)
    name = custom.get(codename) or f"Can {codename.split('_')[0]} {options.verbose_name}"
    found, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=content_type, codename=codename, defaults={"name": name}
    )
    return found


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0001_initial"),
        ("applications", "0002_policy_version_1"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
