from django.apps import AppConfig, apps


class ReviewsConfig(AppConfig):
    name = "reviews"
    verbose_name = "Reviews"

    def ready(self) -> None:
        from accounts.permissions import roles_decide
        from audit.sealed_tables import SealedTable, register
        from lending.services import PERSON_WAITS, PersonWait
        from reviews import checks, receivers
        from reviews.kinds import ROWS
        from reviews.models import InformationRequest, ReviewDecision

        register(SealedTable(ReviewDecision, may_change=("late", "voided_at", "voided_because")))
        ends = ("status", "answer", "answered_by_id", "answered_at", "cancelled_at")
        register(SealedTable(InformationRequest, may_change=ends))
        roles_decide()  # the durable function has no app ``accounts``, which does it elsewhere
        PERSON_WAITS[:] = [PersonWait(row.wait, to_end_of_day=row.answers_offer) for row in ROWS]

        if apps.is_installed("accounts"):
            from reviews import proposals
