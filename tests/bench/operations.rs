//! What a connection does over and over in each scenario.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;

use super::asks::{self, Authorization, Client, member, succeeded};
use super::load::{Ask, Connection, Operation};
use super::person::Person;

/// Sends requests in turn, each of which must be answered with 200 and a text in the body.
pub(crate) struct InTurn {
    asks: Rc<[Ask]>,
    next: usize,
    expected: &'static str,
}

impl InTurn {
    /// For so many connections, which begin at different requests.
    pub(crate) fn on(connections: usize, asks: Vec<Ask>, expected: &'static str) -> Vec<Self> {
        let asks: Rc<[Ask]> = asks.into();
        let begin = |number: usize| Self {
            next: number * asks.len() / connections,
            asks: Rc::clone(&asks),
            expected,
        };
        (0..connections).map(begin).collect()
    }
}

impl Operation for InTurn {
    async fn perform(&mut self, connection: &mut Connection) -> Result<bool, String> {
        let ask = self.asks[self.next % self.asks.len()].clone();
        self.next += 1;
        let answer = connection.send(ask).await?;
        let body = succeeded(&answer)?;
        if body.contains(self.expected) {
            Ok(true)
        } else {
            Err(format!("no {} in {body}", self.expected))
        }
    }
}

/// Rotates the refresh tokens of grants in turn; every request is a token that was never sent before.
pub(crate) struct Rotate {
    client: Client,
    tokens: Rc<[Cell<String>]>,
    mine: Range<usize>,
    next: usize,
}

impl Rotate {
    /// For so many connections, which share the grants among them.
    pub(crate) fn on(connections: usize, client: Client, tokens: &Rc<[Cell<String>]>) -> Vec<Self> {
        let share = tokens.len() / connections;
        let part = |number: usize| Self {
            client,
            tokens: Rc::clone(tokens),
            mine: number * share..(number + 1) * share,
            next: number * share,
        };
        (0..connections).map(part).collect()
    }
}

impl Operation for Rotate {
    async fn perform(&mut self, connection: &mut Connection) -> Result<bool, String> {
        let place = &self.tokens[self.next];
        let token = place.take();
        self.next += 1;
        if self.next == self.mine.end {
            self.next = self.mine.start;
        }
        match rotated(connection, self.client, &token).await {
            Ok(successor) => {
                place.set(successor);
                Ok(true)
            }
            Err(error) => {
                // The answer may have been lost: the token is good for another try.
                place.set(token);
                Err(error)
            }
        }
    }
}

async fn rotated(
    connection: &mut Connection,
    client: Client,
    token: &str,
) -> Result<String, String> {
    let answer = connection.send(asks::refresh(client, token)).await?;
    let successor = member(&answer, "refresh_token")?;
    if successor == token {
        return Err("the refresh token was not rotated".to_owned());
    }
    Ok(successor.to_owned())
}

/// Codes that were not exchanged yet.
pub(crate) type Codes = Rc<RefCell<Vec<(Authorization, String)>>>;

/// Asks for codes in the browser of somebody who is signed in: one request each.
pub(crate) struct Authorize {
    pub(crate) person: Person,
    pub(crate) client: Client,
    pub(crate) scope: &'static str,
    /// How many are wanted, by all connections.
    pub(crate) wanted: usize,
    pub(crate) asked: Rc<Cell<usize>>,
    pub(crate) codes: Codes,
}

impl Operation for Authorize {
    async fn perform(&mut self, connection: &mut Connection) -> Result<bool, String> {
        if self.asked.get() == self.wanted {
            return Ok(false);
        }
        self.asked.set(self.asked.get() + 1);
        let authorization = Authorization::new(self.client, self.scope);
        let code = self.person.authorize(connection, &authorization).await?;
        self.codes.borrow_mut().push((authorization, code));
        Ok(true)
    }
}

/// Exchanges codes until there are no more.
pub(crate) struct Exchange {
    pub(crate) codes: Codes,
    /// Refresh tokens that came with them.
    pub(crate) refresh_tokens: Rc<RefCell<Vec<String>>>,
}

impl Operation for Exchange {
    async fn perform(&mut self, connection: &mut Connection) -> Result<bool, String> {
        let Some((authorization, code)) = self.codes.borrow_mut().pop() else {
            return Ok(false);
        };
        let answer = connection.send(authorization.exchange(&code)).await?;
        let token = member(&answer, "refresh_token")?.to_owned();
        self.refresh_tokens.borrow_mut().push(token);
        Ok(true)
    }
}

/// Whole sign-ins with a password, from `/authorize` to the tokens: five requests each.
pub(crate) struct SignIn {
    pub(crate) client: Client,
    pub(crate) username: String,
    /// How many are left, for all connections.
    pub(crate) left: Rc<Cell<u64>>,
}

impl Operation for SignIn {
    async fn perform(&mut self, connection: &mut Connection) -> Result<bool, String> {
        let Some(left) = self.left.get().checked_sub(1) else {
            return Ok(false);
        };
        self.left.set(left);
        let authorization = Authorization::new(self.client, "openid profile");
        let mut person = Person::default();
        let code = person
            .sign_in(connection, &self.username, &authorization)
            .await?;
        let answer = connection.send(authorization.exchange(&code)).await?;
        member(&answer, "id_token")?;
        Ok(true)
    }
}
