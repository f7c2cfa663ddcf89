"""A hub for a class: JupyterLab for everybody, and nbgrader's exchange to hand out and collect the exercises.

    pip install "minquant[lessons,hub]"
    MINQUANT_HUB=/srv/class jupyterhub -f tools/hub/jupyterhub_config.py

How it works
    Under $MINQUANT_HUB lie a folder for every user and the exchange. The dummy authenticator lets in whoever knows the
    password $MINQUANT_HUB_PASSWORD, and the simple spawner starts every server under the account of the hub: that is a
    hub to try things with, on one machine, among people who trust each other. For a class replace both (the two lines
    marked below) by your university's authenticator and a spawner that gives each user an account or a container;
    nbgrader then takes names from accounts, and the exchange has to be a folder that all of them can write to.

    The proxy is the one written in Python, so that no Node.js is needed.
"""

import os
import sys
from pathlib import Path

c = get_config()  # noqa: F821 - given by JupyterHub
HERE = Path(__file__).resolve().parent
FOLDER = Path(os.environ.get("MINQUANT_HUB", "minquant-hub")).absolute()
PORT = int(os.environ.get("MINQUANT_HUB_PORT", "8000"))
(FOLDER / "exchange").mkdir(parents=True, exist_ok=True)
(FOLDER / "exchange").chmod(0o777)

c.JupyterHub.bind_url = f"http://127.0.0.1:{PORT}"
c.JupyterHub.hub_port = PORT + 1
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{PORT + 2}"
c.ConfigurableHTTPProxy.command = [sys.executable, "-c", "from configurable_http_proxy.cli import main; main()"]
c.JupyterHub.db_url = f"sqlite:///{FOLDER / 'hub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(FOLDER / "cookie_secret")

c.JupyterHub.authenticator_class = "dummy"  # replace for a class
c.DummyAuthenticator.password = os.environ.get("MINQUANT_HUB_PASSWORD") or sys.exit("set MINQUANT_HUB_PASSWORD first")
c.Authenticator.allowed_users = {name for name in os.environ.get("MINQUANT_HUB_USERS", "").split(",") if name}
c.Authenticator.admin_users = {"teacher"}

c.JupyterHub.spawner_class = "simple"       # replace for a class
c.SimpleLocalProcessSpawner.home_dir_template = str(FOLDER / "{username}")
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.start_timeout = c.Spawner.http_timeout = 120
c.Spawner.env_keep = ["PATH", "PYTHONPATH", "LANG", "LC_ALL", "VIRTUAL_ENV"]
c.Spawner.environment = {"JUPYTER_CONFIG_PATH": str(HERE), "MINQUANT_HUB": str(FOLDER), "SHELL": "/bin/sh"}
if os.geteuid() == 0:
    c.Spawner.args = ["--allow-root"]

if token := os.environ.get("MINQUANT_HUB_TOKEN"):  # for programs, such as the test of this recipe
    c.JupyterHub.services = [{"name": "class", "api_token": token}]
    c.JupyterHub.load_roles = [{"name": "class", "services": ["class"],
                                "scopes": ["admin:users", "admin:servers", "access:servers"]}]
