"""What a caller needs to read or to submit applications."""

from partners.api.permissions import Access

READ = Access(scope="applications:read", staff=("applications.view_loanapplication",))
WRITE = Access(scope="applications:write")
