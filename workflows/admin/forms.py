"""Forms of the actions of Operations. Services judge what was typed."""

from django import forms

FOR_STAFF = "Kept in the log, for staff."


def typed(*, label: str, required: bool, help_text: str = FOR_STAFF) -> forms.CharField:
    """Return a field for a few lines of text."""
    return forms.CharField(
        label=label if required else f"{label} (optional)",
        help_text=help_text,
        required=required,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60, "class": "reason"}),
    )


class ReasonForm(forms.Form):
    reason = typed(label="Reason", required=True)


class MayReasonForm(forms.Form):
    reason = typed(label="Reason", required=False)


class RestartForm(MayReasonForm):
    """A reason, and the policy version where there is a choice."""

    field_order = ["policy", "reason"]

    def offer_policies(self, *, kept: int, current: int) -> None:
        """Let Operations choose the version in force in place of the one that is kept."""
        self.fields["policy"] = forms.ChoiceField(
            label="Policy version",
            choices=[
                ("", f"Keep version {kept}, under which it was judged before"),
                (str(current), f"Version {current}, which is in force now"),
            ],
            required=False,
            widget=forms.RadioSelect,
            help_text="Under the kept version an offer that was accepted holds and is paid as it "
            "is. Under the other one everything is judged anew, and the applicant has to accept "
            "the new offer.",
        )
        self.order_fields(self.field_order)


class NoteForm(forms.Form):
    note = typed(label="Note", required=True, help_text="What solved the problem. Kept in the log.")


class NotPaidForm(forms.Form):
    note = typed(label="How is it known?", required=True)


class NewOrderForm(forms.Form):
    note = typed(label="Why will the rail pay it now?", required=True)


class PaidForm(NotPaidForm):
    field_order = ["rail_reference", "note"]

    rail_reference = forms.CharField(
        label="The rail's reference (optional)",
        help_text="As its statement shows it. Not needed where the rail can say it: it is asked "
        "once more.",
        required=False,
        max_length=100,
    )
