"""Access rules of the API for reading and submitting applications."""

from partners.api.permissions import Access

READ = Access(scope="applications:read", staff=("applications.view_loanapplication",))
WRITE = Access(scope="applications:write")
