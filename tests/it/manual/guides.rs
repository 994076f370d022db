//! The guides for single applications: `make test-clients` runs each of them with its software.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::guides;

/// The tests of `tests/clients/guides`: the page of each, and on how many engines it runs.
fn tests() -> BTreeMap<String, (String, usize)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/guides");
    let mut tests = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "py") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let page = text
            .lines()
            .find_map(|line| line.strip_prefix("PAGE = \"")?.strip_suffix('"'))
            .unwrap_or_else(|| panic!("{} names no page", path.display()));
        let engines = 1 + usize::from(text.contains("\nEVERY_ENGINE = True\n"));
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        tests.insert(name, (page.to_owned(), engines));
    }
    tests
}

#[test]
fn no_guide_is_published_without_its_test() {
    let pages: BTreeSet<String> = guides()
        .iter()
        .map(|page| page.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let tested: BTreeSet<String> = tests().into_values().map(|(page, _)| page).collect();
    assert_eq!(pages, tested);
}

#[test]
fn a_third_of_the_guides_is_run_on_every_engine() {
    let tests = tests();
    let on_every_engine = tests.values().filter(|(_, engines)| *engines > 1).count();
    assert!(
        on_every_engine * 3 >= tests.len(),
        "{on_every_engine} of {}",
        tests.len()
    );
}

/// What a guide says it was tested with is what `tests/clients` pins.
#[test]
fn a_guide_names_the_versions_that_are_pinned() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let read = |file: &str| fs::read_to_string(root.join(file)).unwrap();
    for page in guides() {
        let name = page.file_stem().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&page).unwrap();
        let tested = text
            .lines()
            .find(|line| line.contains("Tested with "))
            .unwrap_or_else(|| panic!("{name} does not say what it was tested with"));
        let pins = match name {
            "authlib" => vec![
                ("Authlib", "python/authlib.txt", "Authlib=="),
                ("Flask", "python/authlib.txt", "Flask=="),
            ],
            "django-allauth" => vec![("django-allauth", "python/django.txt", "django-allauth==")],
            "mozilla-django-oidc" => vec![(
                "mozilla-django-oidc",
                "python/django.txt",
                "mozilla-django-oidc==",
            )],
            "jupyterhub" => vec![
                ("JupyterHub", "python/jupyterhub.txt", "jupyterhub=="),
                (
                    "oauthenticator",
                    "python/jupyterhub.txt",
                    "oauthenticator==",
                ),
            ],
            "synapse" => vec![("Synapse", "python/synapse.txt", "matrix-synapse==")],
            "authjs" => vec![("@auth/express", "js/package.json", "\"@auth/express\": \"")],
            "better-auth" => vec![("better-auth", "js/package.json", "\"better-auth\": \"")],
            "express-openid-connect" => vec![(
                "express-openid-connect",
                "js/package.json",
                "\"express-openid-connect\": \"",
            )],
            "oidc-client-ts" => vec![(
                "oidc-client-ts",
                "js/package.json",
                "\"oidc-client-ts\": \"",
            )],
            "openid-client" => vec![("openid-client", "js/package.json", "\"openid-client\": \"")],
            "passport" => vec![
                ("passport", "js/package.json", "\"passport\": \""),
                (
                    "passport-openidconnect",
                    "js/package.json",
                    "\"passport-openidconnect\": \"",
                ),
            ],
            "go-oidc" => vec![("go-oidc", "go/app/go.mod", "go-oidc/v3 v")],
            "goth" => vec![("goth", "go/app/go.mod", "markbates/goth v")],
            "kubernetes" => vec![(
                "`k8s.io/apiserver`",
                "go/kubernetes/go.mod",
                "k8s.io/apiserver v",
            )],
            "caddy" | "nginx" | "oauth2-proxy" => {
                vec![(
                    "oauth2-proxy",
                    "go/oauth2-proxy/go.mod",
                    "oauth2-proxy/oauth2-proxy/v7 v",
                )]
            }
            "spring" => vec![
                ("Spring Boot", "java/boot-3/pom.xml", "<version>"),
                ("and", "java/boot-4/pom.xml", "<version>"),
            ],
            // Debian's own.
            "apache" | "omniauth" => vec![],
            other => panic!("what is {other} tested with?"),
        };
        for (software, file, before) in pins {
            let text = read(file);
            let (_, rest) = text
                .split_once(before)
                .unwrap_or_else(|| panic!("{file} does not pin {before}"));
            let version: String = rest
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '.')
                .collect();
            let said = format!("{software} {version}");
            assert!(
                tested.contains(&said),
                "{name} does not say {said:?}: {tested}"
            );
        }
    }
}
