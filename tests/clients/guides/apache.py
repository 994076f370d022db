from harness import alone, echo, shows_alice

PAGE = "apache"
EVERY_ENGINE = True

# What Debian's apache2.conf has around a site.
AROUND = """
ServerRoot /usr/lib/apache2
PidFile {directory}/apache.pid
ErrorLog {directory}/error.log
Mutex file:{directory}
DefaultRuntimeDir {directory}
Listen localhost:{port}
LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule authn_core_module modules/mod_authn_core.so
LoadModule authz_core_module modules/mod_authz_core.so
LoadModule authz_user_module modules/mod_authz_user.so
LoadModule proxy_module modules/mod_proxy.so
LoadModule proxy_http_module modules/mod_proxy_http.so
LoadModule auth_openidc_module modules/mod_auth_openidc.so
Include {directory}/site.conf
"""


def check(site, guide, person):
    port = guide.port(8000)
    echo(guide)
    guide.register()
    directory = guide.write()
    (directory / "apache.conf").write_text(AROUND.format(directory=directory, port=port))
    guide.run(["apache2", "-f", directory / "apache.conf", "-DFOREGROUND"], port, env=alone(guide))
    home = f"http://localhost:{port}"
    page = person.visit(f"{home}/orders?id=1")
    shows_alice(page, "Alice Example")
    assert page.json()["path"] == "/orders?id=1"
    assert set(page.json()["OIDC_CLAIM_groups"].split(",")) == {"staff", "shop-admins"}, page.text
    ended = person.visit(f"{home}/openidc?logout={home}/bye.html")
    assert ended.json()["path"] == "/bye.html", ended.text
    assert not person.is_signed_in()
