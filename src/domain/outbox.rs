//! What must be told elsewhere: kinds of message, their receivers, and what comes of sending one. `service::outbox`
//! sends.

use std::fmt;

use super::ids::WebhookId;
use crate::spec::time::Ts;

/// A kind of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// An event, for a webhook.
    Webhook,
}

impl MessageKind {
    /// Every kind.
    pub const ALL: [Self; 1] = [Self::Webhook];

    /// Its name in lanes and metrics; never changes its meaning.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
        }
    }
}

/// One receiver. A receiver that is slow or away delays no other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// A webhook.
    Webhook(WebhookId),
}

impl Lane {
    /// The kind of message that this receiver is told.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        match self {
            Self::Webhook(_) => MessageKind::Webhook,
        }
    }

    /// Reads what `Display` writes; `None` for a kind that this version does not know.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, receiver) = text.split_once(':')?;
        let kind = MessageKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == name)?;
        match kind {
            MessageKind::Webhook => WebhookId::parse(receiver).map(Self::Webhook),
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind().as_str();
        match self {
            Self::Webhook(id) => write!(f, "{kind}:{id}"),
        }
    }
}

/// Whether a receiver takes messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// It does.
    Open,
    /// It does not, and may again.
    Closed,
    /// It is no more.
    Gone,
}

/// The state of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits, for its first attempt or another one.
    Pending,
    /// The receiver has it.
    Delivered,
    /// It was given up.
    Failed,
}

impl State {
    const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Failed];

    /// Its name in the store and in `/v1`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// What came of sending a message.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The code that was answered, such as an HTTP status.
    pub status: Option<u16>,
    /// What the answer means.
    pub reply: Reply,
}

/// What a receiver's answer means. A failure is a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The receiver has the message.
    Taken,
    /// The receiver works and refused this message.
    Refused(String),
    /// The receiver cannot be reached or does not work.
    Unanswered(String),
    /// The receiver wants no more messages, or is no more.
    Gone(String),
    /// The receiver was given up or turned off before; nothing was sent.
    Closed(String),
}

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterAttempt {
    /// Nothing: it is delivered.
    Done,
    /// Another attempt at that time.
    Again(Ts),
    /// Nothing: it failed for good.
    GiveUp,
}

impl AfterAttempt {
    /// The state of the delivery from now on.
    #[must_use]
    pub const fn state(self) -> State {
        match self {
            Self::Done => State::Delivered,
            Self::Again(_) => State::Pending,
            Self::GiveUp => State::Failed,
        }
    }

    /// When it is sent again.
    #[must_use]
    pub const fn at(self) -> Option<Ts> {
        match self {
            Self::Again(at) => Some(at),
            Self::Done | Self::GiveUp => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_read_as_it_is_written_and_an_unknown_kind_is_none() {
        let lane = Lane::Webhook(WebhookId::from_random([7; 16]));
        assert_eq!(Lane::parse(&lane.to_string()), Some(lane));
        for unknown in ["", "webhook", "webhook:7", "pigeon:coop"] {
            assert_eq!(Lane::parse(unknown), None, "{unknown}");
        }
    }
}
