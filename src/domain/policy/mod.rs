//! Policies as text in the Cedar language; the only place that knows `cedar-policy`.

use std::str::FromStr as _;

use cedar_policy::PolicySet;

/// Checks that a text is Cedar. The error says where it is not.
pub fn check_text(cedar: &str) -> Result<(), String> {
    match PolicySet::from_str(cedar) {
        Ok(policies) if policies.is_empty() => Err("holds no policy".to_owned()),
        Ok(_) => Ok(()),
        Err(errors) => Err(errors.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_no_policy_is_refused() {
        assert_eq!(
            check_text(
                "permit(principal, action == Action::\"read\", resource is Document) when { principal.department == resource.department };"
            ),
            Ok(())
        );
        for broken in [
            "",
            "permit",
            "permit(principal, action);",
            "allow(principal, action, resource);",
            "permit(principal, action, resource",
        ] {
            assert!(check_text(broken).is_err(), "{broken}");
        }
    }
}
