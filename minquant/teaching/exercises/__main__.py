"""``python -m minquant.teaching.exercises`` is ``minquant exercises``."""

from .cli import main

raise SystemExit(main())
