//! One list of columns for each type of row.
//!
//! ```text
//! row! { $
//!     struct UserRow, user_columns { id: Uuid, username: String, … }
//! }
//! const FIND: &str = concat!("SELECT ", user_columns!(), " FROM users WHERE id = $1");
//! ```
//!
//! makes the row that a query is read into and the text of its columns from the same names. With a prefix,
//! `user_columns!("u.")`, each name stands behind it. The `$` is what the second macro is written with.

/// Makes a row and the macro that lists its columns.
macro_rules! row {
    ($d:tt
        $(#[$of_row:meta])*
        $visible:vis struct $Row:ident, $columns:ident {
            $of_first:vis $first:ident: $First:ty,
            $($of_field:vis $field:ident: $Field:ty),+ $(,)?
        }
    ) => {
        $(#[$of_row])*
        #[derive(sqlx::FromRow)]
        $visible struct $Row {
            $of_first $first: $First,
            $($of_field $field: $Field,)+
        }

        /// The columns of the row, as text for [`concat!`].
        macro_rules! $columns {
            () => {
                concat!(stringify!($first) $(, ", ", stringify!($field))+)
            };
            ($d prefix:literal) => {
                concat!($d prefix, stringify!($first) $(, ", ", $d prefix, stringify!($field))+)
            };
        }
    };
}

pub(in crate::store) use row;
