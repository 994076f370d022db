//! Names under which callers still find what pages are made of.

pub use super::groups::GroupPage;
pub use super::levels::LevelRow;
pub use super::users::Member;
