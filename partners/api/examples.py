"""Example values of the OpenAPI document that every app uses."""

REFERENCE = "LOAN-7Q2M9K4T"
