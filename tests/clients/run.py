"""Runs the guides of `templates/manual/applications`: each page's registration and configuration, as they stand there,
with the software that the page is about.

    run.py [GUIDE …]

Every guide runs on SQLite; those with `EVERY_ENGINE = True`, a third of them, on PostgreSQL and Redis too.
"""

import importlib
import os
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from harness import Guide, Person, Program, Site, free_port


def settings(engine, directory):
    if engine == "sqlite":
        return {}
    port = free_port()
    Program(["redis-server", "--port", port, "--save", "", "--bind", "127.0.0.1"], port, directory / "redis.log")
    name = f"guide_{os.getpid()}_{time.monotonic_ns()}"
    server = os.environ["STORE_TEST_POSTGRES"]
    subprocess.run(["psql", "-q", server, "-c", f"CREATE DATABASE {name}"], check=True)
    return {
        "SIGNET_DATABASE_URL": server.replace("/postgres?", f"/{name}?"),
        "SIGNET_REDIS_URL": f"redis://127.0.0.1:{port}",
    }


def main():
    wanted = sys.argv[1:] or sorted(path.stem for path in HERE.glob("guides/[a-z]*.py"))
    passed, failed = 0, []
    for name in wanted:
        guide = importlib.import_module(f"guides.{name}")
        engines = ["sqlite"] + (["postgres_redis"] if getattr(guide, "EVERY_ENGINE", False) else [])
        for engine in engines:
            began = time.monotonic()
            title = f"{name} on {engine}"
            with tempfile.TemporaryDirectory(prefix="signet-guide-", ignore_cleanup_errors=True) as directory:
                site = None
                try:
                    site = Site(engine, directory, settings(engine, Path(directory)), getattr(guide, "HTTPS", False))
                    guide.check(site, Guide(guide.PAGE, site), Person(site))
                    print(f"ok   {title} ({time.monotonic() - began:.1f} s)", flush=True)
                    passed += 1
                except Exception:  # every guide is run and counted
                    traceback.print_exc()
                    for log in sorted(Path(directory).rglob("*.log")):
                        print(f"--- {log.relative_to(directory)}\n{log.read_text(errors='replace')[-4000:]}")
                    print(f"FAIL {title}", flush=True)
                    failed.append(title)
                finally:
                    Program.stop_all()
    for title in failed:
        print(f"failed: {title}")
    print(f"{passed} passed, {len(failed)} failed")
    sys.exit(bool(failed) or not passed)


main()
