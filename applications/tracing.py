"""What ties one request, its workflow and their log lines together. Pure.

They live below, where the audit log reads them; this is the name that everything above uses.
"""

from audit.tracing import execution_name, request_id

__all__ = ["execution_name", "request_id"]
