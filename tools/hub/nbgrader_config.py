"""nbgrader on the hub: one course, one exchange. Who a user is follows from the hub, because all share an account here."""

import os
from pathlib import Path

c = get_config()  # noqa: F821 - given by nbgrader
FOLDER = Path(os.environ["MINQUANT_HUB"])
USER = os.environ.get("JUPYTERHUB_USER", "teacher")

c.CourseDirectory.course_id = "minquant"
c.CourseDirectory.root = str(FOLDER / USER)
c.Exchange.root = str(FOLDER / "exchange")
c.Exchange.cache = str(FOLDER / USER / ".nbgrader-cache")
if USER != "teacher":
    c.CourseDirectory.student_id = USER
