"""``python -m minquant`` is the ``minquant`` command."""

import sys

from .cli import main

sys.exit(main())
