"""What every guide's test uses: a site of Signet, the blocks of a page of the manual, programs, and a person.

A page is `templates/manual/applications/NAME.md`. Its blocks are taken as they stand there, except for the issuer, the
ports and the secret, which a reader replaces too.
"""

import atexit
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/relying_parties/python"))

from person import Form  # the same forms that the relying parties fill in

SIGNET = Path(os.environ.get("SIGNET", ROOT / "target/debug/signet"))
PAGES = ROOT / "templates/manual/applications"

# What the pages call the reader's own server, and the secret that `signet apply` printed.
ISSUER = "http://localhost:8080"
SECRET = "the-secret-that-was-printed"

PASSWORD = "correct horse battery staple"
PEOPLE = f"""
[[groups]]
name = "staff"

[[groups]]
name = "shop-admins"

[[users]]
username = "alice"
password = "{PASSWORD}"
email = "alice@example.test"
email_verified = true
name = "Alice Example"
given_name = "Alice"
family_name = "Example"
groups = ["staff", "shop-admins"]
"""


HTTPS = """
events {{}}
http {{
    access_log off;
    server {{
        listen localhost:{shown} ssl;
        ssl_certificate ca.pem;
        ssl_certificate_key key.pem;
        location / {{
            proxy_pass http://127.0.0.1:{port};
            proxy_set_header Host $http_host;
        }}
    }}
}}
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Program:
    """A program that runs until the test ends."""

    running = []

    def __init__(self, command, port, log, seconds=60, **more):
        self.log = Path(log)
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=self.log.open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **more,
        )
        Program.running.append(self)
        deadline = time.monotonic() + seconds
        while not listens(port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"{command[0]} does not listen on {port}:\n{self.said()}")
            time.sleep(0.1)

    def said(self):
        return self.log.read_text(errors="replace")[-6000:]

    @classmethod
    def stop_all(cls):
        while cls.running:
            cls.running.pop().stop()

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


atexit.register(Program.stop_all)


def listens(port):
    for host in ("127.0.0.1", "::1"):
        try:
            socket.create_connection((host, port), 1).close()
            return True
        except OSError:
            continue
    return False


class Site:
    """One server of Signet on an empty store with one person, and a directory for everything."""

    def __init__(self, engine, directory, environment, https=False):
        self.engine, self.directory = engine, Path(directory)
        port, management = free_port(), free_port()
        self.issuer = self._https(port) if https else f"http://localhost:{port}"
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(directory)} | environment
        self.environment |= {
            "SIGNET_ISSUER": self.issuer,
            "SIGNET_LISTEN": f"127.0.0.1:{port}",
            "SIGNET_MANAGEMENT_LISTEN": f"127.0.0.1:{management}",
        }
        self.apply(PEOPLE)
        self.server = self._run([SIGNET, "serve"], port, "signet.log")
        ready = f"http://127.0.0.1:{management}/health/ready"
        until(lambda: requests.get(ready, timeout=30).status_code == 200)

    def _https(self, port):
        """Puts nginx with a certificate of its own, `ca.pem`, before the server; answers with the issuer."""
        self.certificate, shown = self.directory / "ca.pem", free_port()
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
            + ["-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "ca.pem"],
            cwd=self.directory,
            check=True,
            capture_output=True,
        )
        (self.directory / "https.conf").write_text(HTTPS.format(shown=shown, port=port))
        options = "daemon off; pid https.pid; error_log stderr;"
        Program(
            ["nginx", "-p", self.directory, "-c", "https.conf", "-g", options], shown, self.directory / "https.log"
        )
        return f"https://localhost:{shown}"

    def _run(self, command, port, log):
        return Program(command, port, self.directory / log, cwd=self.directory, env=self.environment)

    def signet(self, *arguments):
        ran = subprocess.run(
            [SIGNET, *arguments], cwd=self.directory, env=self.environment, capture_output=True, text=True
        )
        assert ran.returncode == 0, f"signet {' '.join(arguments)}: {ran.stderr}{ran.stdout}"
        return ran.stdout

    def apply(self, document):
        path = self.directory / "applied.toml"
        path.write_text(document)
        return self.signet("apply", "-f", str(path))


class Guide:
    """A page of the manual whose blocks are used as they stand there."""

    secret = None

    def __init__(self, name, site):
        self.name, self.site = name, site
        self.text = (PAGES / f"{name}.md").read_text()
        self.text = self.text.replace(ISSUER, site.issuer)
        self.directory = site.directory / name
        self.directory.mkdir()

    def port(self, shown):
        """A free port in the place of the one that the page shows."""
        port = free_port()
        assert re.search(rf"\b{shown}\b", self.text), f"the page shows no port {shown}"
        self.text = re.sub(rf"\b{shown}\b", str(port), self.text)
        return port

    def replace(self, shown, real):
        """Puts what this machine has in the place of what a reader has elsewhere, such as the path of a file."""
        assert shown in self.text, f"the page does not show {shown}"
        self.text = self.text.replace(shown, str(real))

    def register(self, document="applications.toml"):
        """Applies the document of the page. Its secrets, which are printed once, stand in the other blocks then."""
        printed = self.site.apply(self.blocks()[document])
        for secret in re.findall(r"^\s+(sgs_\S+)$", printed, re.M)[:1]:
            self.text = self.text.replace(SECRET, secret)
            self.secret = secret
        assert SECRET not in self.text or "sgs_" in printed, printed

    def blocks(self):
        """The text of each fenced block by the file that its first line names: `# NAME`, `// NAME`, …"""
        found = {}
        for text in re.findall(r"^```\w+[^\n]*\n(.*?)^```$", self.text, re.M | re.S):
            first = text.split("\n", 1)[0]
            named = re.fullmatch(r"(?:#|//|;|<!--|/\*) ([\w./-]+\.\w+|[A-Z]\w+|\.env)(?: -->| \*/)?", first)
            if named:
                found[named[1]] = text
        return found

    def write(self, *names):
        """Writes these blocks to their files, and answers with their directory."""
        blocks = self.blocks()
        for name in names or [name for name in blocks if name != "applications.toml"]:
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(blocks[name])
        return self.directory

    def run(self, command, port, **more):
        more.setdefault("cwd", self.directory)
        return Program(command, port, self.directory / "program.log", **more)


class Person:
    """A person with a browser without JavaScript: keeps cookies, follows redirects, fills in Signet's forms."""

    def __init__(self, site, username="alice", password=PASSWORD):
        self.issuer, self.username, self.password = site.issuer, username, password
        self.browser = requests.Session()
        self.browser.trust_env = False
        self.browser.verify = str(getattr(site, "certificate", "")) or True
        self.asked, self.away = [], []

    def visit(self, url, **more):
        """Opens an address, does what Signet asks, and answers with the page where that ends."""
        return self._follow(self._send("GET", url, **more))

    def leaves(self, url):
        """Opens an address of Signet, and answers with the redirect that leads away from there."""
        self.away, page = [], None
        try:
            page = self.visit(url)
        except requests.ConnectionError:
            pass  # There is nothing where it leads.
        away = [to for to in self.away if not to.startswith(self.issuer)]
        assert away, f"{page.status_code} {page.url}:\n{page.text[:3000]}"
        return away[0]

    def post(self, url, fields, **more):
        return self._follow(self._send("POST", url, data=fields, **more))

    def _send(self, method, url, headers=None, **more):
        headers = {"Accept": "text/html, */*;q=0.5"} | (headers or {})
        response = self.browser.request(method, url, headers=headers, allow_redirects=False, timeout=60, **more)
        # Browsers take localhost for secure, so an application's `Secure` cookies come back.
        for cookie in self.browser.cookies:
            cookie.secure = False
        return response

    def _follow(self, response):
        for _ in range(30):
            if "location" in response.headers:
                to = urljoin(response.url, response.headers["location"])
                self.away.append(to)
                response = self._send("GET", to)
                continue
            ours = response.url.startswith(self.issuer + "/")
            if not ours or "<form" not in response.text or response.status_code >= 400:
                return response
            form = Form(response.text)
            action = urljoin(response.url, form.action)
            if not action.startswith(self.issuer + "/"):
                # `response_mode=form_post`
                response = self._send("POST", action, data=form.fields, headers={"Origin": self.issuer})
                continue
            for button in ("login-submit", "consent-allow", "logout-confirm"):
                if button in form.buttons:
                    break
            else:
                return response
            self.asked.append(button)
            fields = dict(form.fields) | form.buttons[button]
            if button == "login-submit":
                fields |= {"username": self.username, "password": self.password}
            # A page with `Referrer-Policy: no-referrer` posts with this origin.
            headers = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
            response = self._send("POST", action, data=fields, headers=headers)
        raise AssertionError(f"{response.url} asks without end")

    def form(self, url):
        """The first form of the page where `url` ends."""
        return Form(self.visit(url).text)

    def is_signed_in(self):
        """Whether Signet still knows this browser."""
        response = self._send("GET", f"{self.issuer}/account")
        return response.status_code == 200


def link_node_modules(directory):
    """Lets programs in `directory` use the packages of `js/package.json`."""
    (directory / "node_modules").symlink_to(ROOT / "tests/clients/js/node_modules")
    return shutil.which("node")


def until(found, seconds=30, every=0.2):
    """Waits until `found()` is true, and answers with it."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(every)
    return value


def shows_alice(page, *more):
    """Whether a page names her, her address and what else is asked for."""
    for what in ("alice@example.test", *more):
        assert what in page.text, f"{what} is not in {page.status_code} {page.url}:\n{page.text[:3000]}"


def python(name):
    """The interpreter with the packages of `python/NAME.txt`."""
    return ROOT / f"target/clients/python-{name}/bin/python"


def django(guide, port):
    """Serves the Django site of a guide."""
    environment = {"PATH": "/usr/bin:/bin", "DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(guide.directory)}
    interpreter = python("django")
    migrated = subprocess.run(
        [interpreter, "-m", "django", "migrate"], cwd=guide.directory, env=environment, capture_output=True, text=True
    )
    assert migrated.returncode == 0, migrated.stderr
    command = [interpreter, "-m", "django", "runserver", "--noreload", f"localhost:{port}"]
    return guide.run(command, port, env=environment)


def echo(guide, shown=9000):
    """The site behind a proxy, on the port that the page shows for it."""
    port = guide.port(shown)
    return guide.run(["python3", ROOT / "tests/clients/echo.py", port], port)


def alone(guide):
    """An environment in which a program keeps what it writes in the guide's directory."""
    return {"PATH": os.environ["PATH"], "HOME": str(guide.directory), "XDG_CONFIG_HOME": str(guide.directory)}


def built(name):
    """A program that `.ci/test-clients.sh` built."""
    return ROOT / f"target/clients/{name}"


def go_program(guide):
    """Builds the `main.go` of a guide with the packages of `go/app/go.mod`."""
    for name in ("go.mod", "go.sum"):
        shutil.copy(ROOT / "tests/clients/go/app" / name, guide.directory)
    program = guide.directory / "program"
    made = subprocess.run(
        ["go", "build", "-mod=mod", "-o", program, "main.go"], cwd=guide.directory, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    return program
