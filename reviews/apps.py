from django.apps import AppConfig


class ReviewsConfig(AppConfig):
    name = "reviews"
    verbose_name = "Reviews"

    def ready(self) -> None:
        from accounts.permissions import roles_decide  # noqa: PLC0415
        from audit.sealed_tables import SealedTable, register  # noqa: PLC0415
        from lending.services import PERSON_WAITS, PersonWait  # noqa: PLC0415
        from reviews import checks, receivers  # noqa: F401, PLC0415
        from reviews.kinds import ROWS  # noqa: PLC0415
        from reviews.models import ReviewDecision  # noqa: PLC0415

        register(SealedTable(ReviewDecision, may_change=("late", "voided_at", "voided_because")))
        roles_decide()  # the durable function has no app ``accounts``, which does it elsewhere
        PERSON_WAITS[:] = [PersonWait(row.wait, row.required_by) for row in ROWS]
