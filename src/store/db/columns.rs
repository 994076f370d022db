//! One list of columns for each type of row: of what is read, and of what is written.
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
//!
//! ```text
//! writes! { $
//!     fn bind_user(fields: &UserFields), user_writes {
//!         username = fields.username.clone(),
//!         …
//!     }
//! }
//! const INSERT: &str = concat!("INSERT INTO users (", user_writes!(names), ", id, updated_at) VALUES (",
//!     user_writes!(values), ", $1, $2)");
//! const UPDATE: &str = concat!("UPDATE users SET ", user_writes!(set), ", updated_at = $2 WHERE id = $1");
//! ```
//!
//! makes, from the same names, the function that binds what is written and the texts of the statements that write it.
//! A statement has two values of its own, `$1` and `$2`, which are bound first; the columns are numbered from `$3`, and
//! `user_writes!(next)` is the number behind the last.

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

/// Makes the function that binds what is written into a row, and the macro of the columns.
macro_rules! writes {
    ($d:tt
        $visible:vis fn $bind:ident($($argument:ident: $type:ty),+), $columns:ident {
            $($column:ident = $value:expr),+ $(,)?
        }
    ) => {
        $visible fn $bind<'q>(
            query: $crate::store::db::Q<'q>,
            $($argument: $type),+
        ) -> $crate::store::db::Q<'q> {
            query$(.bind($value))+
        }

        /// The columns that are written, as texts for [`concat!`].
        macro_rules! $columns {
            ($d form:ident) => {
                $crate::store::db::numbered!($d form [$($column)+] [3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30])
            };
        }
    };
}

/// Columns and the numbers of their values: the `names`, the `values`, both as in `SET`, or the `next` number.
macro_rules! numbered {
    (names [$first:ident $($column:ident)*] $numbers:tt) => {
        concat!(stringify!($first) $(, ", ", stringify!($column))*)
    };
    (values [$column:ident] [$number:literal $($numbers:literal)*]) => {
        concat!("$", $number)
    };
    (set [$column:ident] [$number:literal $($numbers:literal)*]) => {
        concat!(stringify!($column), " = $", $number)
    };
    (next [$column:ident] [$number:literal $next:literal $($numbers:literal)*]) => {
        concat!("$", $next)
    };
    (next [$column:ident $($columns:ident)+] [$number:literal $($numbers:literal)*]) => {
        $crate::store::db::numbered!(next [$($columns)+] [$($numbers)*])
    };
    ($form:ident [$column:ident $($columns:ident)+] [$number:literal $($numbers:literal)*]) => {
        concat!(
            $crate::store::db::numbered!($form [$column] [$number]),
            ", ",
            $crate::store::db::numbered!($form [$($columns)+] [$($numbers)*])
        )
    };
}

pub(in crate::store) use {numbered, row, writes};

#[cfg(test)]
mod tests {
    use crate::store::db::Q;

    writes! { $
        fn bind_pair(pair: &(String, i64)), pair_writes {
            name = pair.0.clone(),
            number = pair.1,
        }
    }

    /// Whether the numbers of the texts are those under which the values are bound is seen by every test that writes.
    #[test]
    fn columns_are_numbered_as_they_are_bound() {
        assert_eq!(pair_writes!(names), "name, number");
        assert_eq!(pair_writes!(values), "$3, $4");
        assert_eq!(pair_writes!(set), "name = $3, number = $4");
        assert_eq!(pair_writes!(next), "$5");
        let bind: for<'q> fn(Q<'q>, &(String, i64)) -> Q<'q> = bind_pair;
        let _ = bind;
    }
}
