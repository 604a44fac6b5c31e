"""One page about one recording: what networks say, where one of them looks, and how good the recording is."""

from leadwise.report.explanation import NOT_FOR_DIAGNOSIS, Explanation, explain_ecg
from leadwise.report.page import OnePage, draw_page, file_name, plot_explanation, report, save_page, to_html

__all__ = [
    "NOT_FOR_DIAGNOSIS",
    "Explanation",
    "OnePage",
    "draw_page",
    "explain_ecg",
    "file_name",
    "plot_explanation",
    "report",
    "save_page",
    "to_html",
]
