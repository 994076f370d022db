//! A value or a row of which it is not certain that it can be read.

use sqlx::decode::Decode;
use sqlx::error::BoxDynError;
use sqlx::{Database, FromRow, Row, Type};

/// What was read, or `None` where it makes no sense: one bad row does not fail the query that reads its neighbours.
#[derive(Clone, Debug)]
pub(in crate::store) struct Readable<T>(pub(in crate::store) Option<T>);

impl<'r, R: Row, T: FromRow<'r, R>> FromRow<'r, R> for Readable<T> {
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        Ok(Self(T::from_row(row).ok()))
    }
}

impl<D: Database, T: Type<D>> Type<D> for Readable<T> {
    fn type_info() -> D::TypeInfo {
        T::type_info()
    }

    fn compatible(info: &D::TypeInfo) -> bool {
        T::compatible(info)
    }
}

impl<'r, D: Database, T: Decode<'r, D>> Decode<'r, D> for Readable<T> {
    fn decode(value: D::ValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(T::decode(value).ok()))
    }
}
