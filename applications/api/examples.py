"""Examples of the OpenAPI document: one application at several statuses. Values only."""

from typing import Any

from partners.api.examples import REFERENCE

NEW = {
    "applicant_name": "Alice Johnson",
    "address": "123 Maple Street, Ottawa",
    "phone": "613-555-0101",
    "email": "alice@example.com",
    "sin_last4": "1111",
    "annual_income": "85000.00",
    "loan_amount": "150000.00",
    "currency": "CAD",
    "purpose": "personal_loan",
    "term_months": 60,
    "external_id": "crm-42",
}
SUBMITTED = {
    "reference": REFERENCE,
    "status": "submitted",
    "current_step": "submitted",
    "applicant_name": "Alice Johnson",
    "loan_amount": "150000.00",
    "currency": "CAD",
    "external_id": "crm-42",
    "submitted_at": "2026-11-23T09:00:00Z",
    "version": 1,
    "waiting_on": None,
    "decision": None,
    "offer": None,
    "disbursement": None,
}
PENDING = {
    **SUBMITTED,
    "status": "pending_approval",
    "current_step": "manager_approval",
    "waiting_on": {
        "who": "manager",
        "since": "2026-11-23T09:00:09Z",
        "until": "2026-11-30T09:00:09Z",
    },
}
FUNDED: dict[str, Any] = {
    **SUBMITTED,
    "status": "funded",
    "current_step": "complete",
    "decision": {
        "outcome": "approve",
        "decided_at": "2026-11-23T10:30:00Z",
        "reasons": [],
        "risk_tier": "prime",
        "average_score": 781,
        "policy_version": 1,
    },
    "offer": {
        "offer_id": "OFFER-7Q2M9K4T-1",
        "annual_rate": "5.25",
        "term_months": 60,
        "monthly_payment": "2847.90",
        "total_interest": "20873.92",
        "expires_at": "2026-12-08T04:59:59.999999Z",
    },
    "disbursement": {
        "reference": "RAIL-0001",
        "amount": "150000.00",
        "funded_at": "2026-11-23T10:30:05Z",
    },
}
DECLINED = {
    **SUBMITTED,
    "status": "declined",
    "current_step": "risk_assessment",
    "decision": {
        "outcome": "decline",
        "decided_at": "2026-11-23T09:00:09Z",
        "reasons": [
            {
                "code": "SCORE_TOO_LOW",
                "text": "The average credit score is below the policy's minimum.",
            }
        ],
        "risk_tier": "deep_subprime",
        "average_score": 540,
        "policy_version": 1,
    },
}
WITHDRAWN = {**SUBMITTED, "status": "withdrawn", "version": 2}
APPROVED_BY_MANAGER = {**SUBMITTED, "status": "in_review", "current_step": "manager_approval"}
EVENTS = [
    {
        "at": "2026-11-23T09:00:00Z",
        "step": "submitted",
        "level": "info",
        "message": "Submitted: 150,000.00 CAD.",
    }
]
