//! Who is at the command line, for the audit trail.

use crate::domain::audit::Origin;

/// The account under which this process runs; its number when it has no name.
pub(super) fn operator() -> Origin {
    let uid = rustix::process::getuid().as_raw();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = name_of(&accounts, uid).map_or_else(|| format!("uid {uid}"), str::to_owned);
    Origin::operator(Some(name))
}

fn name_of(accounts: &str, uid: u32) -> Option<&str> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_number() {
        let accounts =
            "root:x:0:0:root:/root:/bin/sh\nbroken\nada:x:1000:1000::/home/ada:/bin/sh\n";
        assert_eq!(name_of(accounts, 1000), Some("ada"));
        assert_eq!(name_of(accounts, 0), Some("root"));
        assert_eq!(name_of(accounts, 7), None);
    }
}
