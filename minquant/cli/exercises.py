"""``minquant exercises``: status, release, solutions and grading; the work is done in ``minquant.teaching.exercises``."""

from __future__ import annotations


def main(argv: list[str]) -> int:
    """Run ``minquant exercises``; returns the exit code."""
    from ..teaching import exercises

    return exercises.main(argv)
