"""A network's pass on one page that needs nothing else: no network, no build, no server."""

from whygrad.explanation.page.writer import Written, page, write_page

__all__ = ["Written", "page", "write_page"]
