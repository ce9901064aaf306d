"""Write the offer letter as a PDF: terms, expiry and repayment schedule."""

from pathlib import Path

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from applications.models import LoanOffer
from audit.times import day, zone_sentence
from lending.amortisation import Schedule

FONTS = Path(__file__).parent / "fonts"
# Built into every reader, so fast and small, but only for Western European letters.
BUILT_IN = "Helvetica"
# Embedded where a name or address needs it: Latin, Greek, Cyrillic, Hebrew, Arabic.
EMBEDDED = "DejaVu"
LINE = 6.0  # mm
ROW = 4.5  # mm
COLUMNS = (18.0, 40.0, 40.0, 40.0, 42.0)  # mm
HEADINGS = ("No.", "Payment", "Interest", "Principal", "Balance")


def offer_letter(*, offer: LoanOffer, plan: Schedule) -> bytes:
    """Return the letter as PDF bytes. The same offer always gives the same bytes."""
    pdf = FPDF(format="letter")
    pdf.set_creation_date(offer.issued_at)
    pdf.set_title(f"Loan offer {offer.offer_id}")
    pdf.add_page()
    font = _font(pdf, offer.application.applicant_name + offer.application.address)
    _terms(pdf, font, offer)
    _schedule(pdf, font, offer, plan)
    return bytes(pdf.output())


def _font(pdf: FPDF, text: str) -> str:
    """Return a font family with the letters of ``text``. Embedding one takes ten times as long."""
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        pdf.add_font(EMBEDDED, "", FONTS / "DejaVuSans.ttf")
        pdf.add_font(EMBEDDED, "B", FONTS / "DejaVuSans-Bold.ttf")
        return EMBEDDED
    return BUILT_IN


def _terms(pdf: FPDF, font: str, offer: LoanOffer) -> None:
    application = offer.application
    pdf.set_font(font, "B", 16)
    _line(pdf, "Your loan offer", height=10)
    pdf.set_font(font, "", 10)
    for text in (
        day(offer.issued_at),
        f"Offer {offer.offer_id} for application {application.reference}",
        "",
        application.applicant_name,
        application.address,
        "",
        f"Amount: {offer.principal:,.2f} {offer.currency}",
        f"Annual rate: {offer.annual_rate} %",
        f"Term: {offer.term_months} months",
        f"Monthly payment: {offer.monthly_payment:,.2f} {offer.currency} "
        f"(the last one {offer.last_payment:,.2f})",
        f"Total interest: {offer.total_interest:,.2f} {offer.currency}",
        f"This offer stands until the end of {day(offer.expires_at)}.",
        zone_sentence(),
    ):
        _line(pdf, text)
    pdf.ln(LINE)


def _schedule(pdf: FPDF, font: str, offer: LoanOffer, plan: Schedule) -> None:
    pdf.set_font(font, "B", 11)
    _line(pdf, f"Repayment schedule ({offer.currency})")
    _row(pdf, font, HEADINGS)
    for line in plan.lines:
        if pdf.will_page_break(ROW):
            pdf.add_page()
            _row(pdf, font, HEADINGS)
        amounts = (line.payment, line.interest, line.principal, line.balance)
        _row(pdf, font, (str(line.number), *(f"{amount:,.2f}" for amount in amounts)))


def _row(pdf: FPDF, font: str, texts: tuple[str, ...]) -> None:
    # Plain cells, because fpdf2's table lays out each of 300 cells as a paragraph.
    pdf.set_font(font, "B" if texts is HEADINGS else "", 8)
    for text, width in zip(texts, COLUMNS, strict=True):
        pdf.cell(width, ROW, text, border="B", align="R")
    pdf.ln(ROW)


def _line(pdf: FPDF, text: str, *, height: float = LINE) -> None:
    pdf.multi_cell(0, height, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
