"""The cells of a list carry the heading of their column, which a phone shows beside the value."""

from django.utils.safestring import SafeString, mark_safe

from core.templatetags.lists import labelled, labels

HEADERS = [
    {"text": mark_safe('<input type="checkbox">')},
    {"text": "loan <amount>"},
    {"text": "status"},
]
CELLS = [
    mark_safe('<td class="action-checkbox">x</td>'),
    mark_safe('<th class="field-amount"><a href="#">1.00</a></th>'),
    mark_safe("<td>Open</td>"),
]


def test_each_cell_is_labelled_but_for_the_box_that_ticks_the_row() -> None:
    found = list(labelled(CELLS, labels(HEADERS)))

    assert found == [
        '<td class="action-checkbox">x</td>',
        '<th data-label="Loan &lt;amount&gt;" class="field-amount"><a href="#">1.00</a></th>',
        '<td data-label="Status">Open</td>',
    ]
    assert all(isinstance(cell, SafeString) for cell in found)
