import shutil
import subprocess

from harness import PASSWORD, ROOT

PAGE = "oidc-client-ts"


def check(site, guide, person):
    port = guide.port(3000)
    guide.register()
    directory = guide.write()
    shutil.copy(ROOT / "tests/clients/js/node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js", directory)
    guide.run(["python3", "-m", "http.server", "--bind", "localhost", port], port)
    command = ["node", ROOT / "tests/clients/js/page.mjs", f"http://localhost:{port}/", "alice", PASSWORD]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
