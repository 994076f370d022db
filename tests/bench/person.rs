//! A person in a browser without JavaScript: cookies, the sign-in page, the redirects.

use std::collections::BTreeMap;

use super::asks::{self, Authorization, between, code_in, location, succeeded};
use super::load::{Answer, Connection};

/// One browser.
#[derive(Clone, Default)]
pub(crate) struct Person {
    cookies: BTreeMap<String, String>,
}

impl Person {
    /// Signs in with a password at a client: four requests, the code in the last answer.
    pub(crate) async fn sign_in(
        &mut self,
        connection: &mut Connection,
        username: &str,
        authorization: &Authorization,
    ) -> Result<String, String> {
        let begun = self.open(connection, &authorization.path).await?;
        let login = location(&begun)?.to_owned();
        let page = self.open(connection, &login).await?;
        let html = succeeded(&page)?;
        let hidden = |name: &str| {
            between(html, &format!("name=\"{name}\" value=\""), "\"")
                .ok_or_else(|| format!("no {name} on the sign-in page"))
        };
        let form = [
            ("csrf", hidden("csrf")?),
            ("flow", hidden("flow")?),
            ("username", username),
            ("password", asks::PASSWORD),
            ("action", "submit"),
        ];
        let posted = asks::submit("/login", &self.cookie_header(), &form);
        let answer = connection.send(posted).await?;
        self.keep_cookies(&answer);
        let on = location(&answer)?.to_owned();
        let answer = self.open(connection, &on).await?;
        code_in(&answer)
    }

    /// A code for somebody who is signed in: one request.
    pub(crate) async fn authorize(
        &mut self,
        connection: &mut Connection,
        authorization: &Authorization,
    ) -> Result<String, String> {
        code_in(&self.open(connection, &authorization.path).await?)
    }

    async fn open(&mut self, connection: &mut Connection, path: &str) -> Result<Answer, String> {
        let answer = connection
            .send(asks::visit(path, &self.cookie_header()))
            .await?;
        self.keep_cookies(&answer);
        Ok(answer)
    }

    fn cookie_header(&self) -> String {
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        cookies.join("; ")
    }

    fn keep_cookies(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all("set-cookie") {
            let pair = cookie.to_str().ok().and_then(|text| text.split(';').next());
            if let Some((name, value)) = pair.and_then(|pair| pair.split_once('=')) {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
