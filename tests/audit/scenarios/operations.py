"""Changes that Operations make in the admin."""

from accounts.roles import Role
from tests.applications.admin.conftest import page
from tests.audit.scenarios.office import REASON, Office, address
from tests.workflows import trouble
from tests.workflows.lambda_stub import lambda_stub
from workflows.operations import execution_pause


def restart(office: Office) -> None:
    application = trouble.stuck(office.officer()).application
    office.client(Role.OPERATIONS).post(page("restart", application), REASON)


def stop(office: Office) -> None:
    office.client(Role.OPERATIONS).post(page("stop", office.waiting()), REASON)


def pause(office: Office) -> None:
    office.client(Role.OPERATIONS).post(page("pause", office.waiting()), REASON)


def resume(office: Office) -> None:
    application = office.waiting()
    execution_pause(reference=application.reference, user=office.user(Role.OPERATIONS), reason="x")
    office.client(Role.OPERATIONS).post(page("resume", application), REASON)


def paid(office: Office) -> None:
    application = trouble.payout_unknown(office.officer()).application
    typed = {"note": "As the statement says.", "rail_reference": "R-1"}
    office.client(Role.OPERATIONS).post(page("paid", application), typed)


def not_paid(office: Office) -> None:
    application = trouble.payout_unknown(office.officer()).application
    typed = {"note": "As the statement says."}
    office.client(Role.OPERATIONS).post(page("not_paid", application), typed)


def order_anew(office: Office) -> None:
    application = trouble.payout_refused(office.officer()).application
    typed = {"note": "The account is open again."}
    office.client(Role.OPERATIONS).post(page("order_anew", application), typed)


def resend(office: Office) -> None:
    incident = trouble.start_given_up(office.officer())
    assert incident.message is not None
    client = office.client(Role.OPERATIONS)
    client.post(address("workflows_outboxmessage_resend", incident.message.pk))


def acknowledge(office: Office) -> None:
    incident = trouble.stuck(office.officer())
    office.client(Role.OPERATIONS).post(address("workflows_incident_acknowledge", incident.pk))


def resolve(office: Office) -> None:
    incident = trouble.answer_given_up(office.officer(), office.user(Role.MANAGER))
    client = office.client(Role.OPERATIONS)
    client.post(address("workflows_incident_resolve", incident.pk), {"note": "Done by hand."})


def restart_kind(office: Office) -> None:
    incident = trouble.stuck(office.officer())
    asked = address("workflows_incident_restart_kind", incident.kind)
    office.client(Role.OPERATIONS).post(asked, {"row": [incident.pk], **REASON})


def reconcile(office: Office) -> None:
    with lambda_stub(office.monkeypatch) as stub:
        stub.pages += [{"DurableExecutions": []}, {"DurableExecutions": []}]
        office.client(Role.OPERATIONS).post(address("workflows_incident_reconcile"))
