//! Declared attributes.

use serde_json::{Value, json};

use super::check::Checked;
use super::{ApplyError, Kind, Known, Outcome, Problem, Work, different};
use crate::domain::policy::{Declaration, Vocabulary};
use crate::service::attributes::{DeclareError, verify};

pub(super) async fn apply(
    work: &mut Work,
    checked: &Checked<'_>,
    known: &Known,
) -> Result<(), ApplyError> {
    for desired in checked.attributes {
        let (of, name) = (&desired.of, &desired.name);
        let stored = known.declarations.of(of).and_then(|all| all.get(name));
        let mut changed = Vec::new();
        if let Some(stored) = stored {
            let declaration = &desired.declaration;
            changed = different(&[
                ("type", stored.kind != declaration.kind),
                ("required", stored.required != declaration.required),
            ]);
        }
        if stored.is_none() || !changed.is_empty() {
            work.tx
                .save_declaration(of, name, desired.declaration)
                .await?;
            let (before, after) = (stored.copied().map(view), view(desired.declaration));
            work.note(Kind::Attribute, &desired.title(), before, Some(after))
                .await?;
        }
        let title = desired.title();
        match stored {
            None => work.report.note(Kind::Attribute, &title, Outcome::Created),
            Some(_) => work.existed(Kind::Attribute, &title, changed)?,
        }
    }
    for (of, declared) in &known.declarations.0 {
        for (name, declaration) in declared {
            let wanted = |it: &&super::DesiredAttribute| it.of == *of && it.name == *name;
            if !checked.attributes.iter().any(|it| wanted(&it)) && work.prunes(Kind::Attribute) {
                work.tx.delete_declaration(of, name).await?;
                let title = format!("{of}.{name}");
                let before = Some(view(*declaration));
                work.note(Kind::Attribute, &title, before, None).await?;
                work.report.note(Kind::Attribute, &title, Outcome::Deleted);
            }
        }
    }
    Ok(())
}

fn view(declaration: Declaration) -> Value {
    json!({ "type": declaration.kind.as_str(), "required": declaration.required })
}

/// When everything is written: whether all that is stored is as it is declared now.
pub(super) async fn verify_stored(work: &mut Work, before: &Vocabulary) -> Result<(), ApplyError> {
    let refused = |kind, name: String, field: &str, problem: String| {
        ApplyError::Invalid(vec![Problem {
            kind,
            name,
            field: field.to_owned(),
            problem,
        }])
    };
    match verify(&mut work.tx, before).await {
        Ok(()) => Ok(()),
        Err(DeclareError::Store(error)) => Err(error.into()),
        Err(DeclareError::Impossible(problem)) => {
            Err(refused(Kind::Attribute, "*".to_owned(), "name", problem))
        }
        Err(DeclareError::Contradicted { of, name, misfit }) => {
            let title = format!("{of}.{}", misfit.attribute);
            let problem = format!("{of} {name:?} contradicts it: {}", misfit.problem);
            Err(refused(Kind::Attribute, title, "type", problem))
        }
        Err(DeclareError::Invalidates { id, problem }) => {
            let problem = format!("it would not be valid any more: {problem}");
            Err(refused(Kind::Policy, id, "cedar", problem))
        }
    }
}
