//! The five operations on a collection of things with names, for every kind alike.

use std::borrow::Cow;
use std::fmt::Display;

use axum::http::Method;
use axum::http::header::HeaderMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::api::{About, Api};
use super::call::{Answer, Call, begun};
use super::inputs::{Body, Names, Nothing, Patch, closed, object, typed};
use super::page::{Page, Search};
use super::problem::Problem;
use crate::service::administration::Kind;
use crate::store::Store;
use crate::store::error::StoreError;

/// A kind of thing that `/v1` has a collection of.
pub(super) trait Collection:
    Kind<Key: TryFrom<String, Error: Display> + JsonSchema> + DeserializeOwned + JsonSchema
{
    /// The collection's name in paths.
    const NAME: &'static str;
    /// The action that changing one needs, where a role for an organization suffices.
    const WRITE: &'static str;

    /// One of them.
    fn read(
        store: &Store,
        key: &Self::Key,
    ) -> impl Future<Output = Result<Option<Self>, StoreError>> + Send;

    /// Some of them, in the order of their keys.
    fn page(
        store: &Store,
        begins: &str,
        after: &str,
        limit: i64,
    ) -> impl Future<Output = Result<Vec<(Self::Key, Self)>, StoreError>> + Send;

    /// The organization for which a role suffices to read and change it.
    fn organization(_key: &Self::Key) -> Option<&str> {
        None
    }
}

/// How the five operations are described: list, create, read, change, delete.
pub(super) fn add<K: Collection>(api: &mut Api, paths: [&'static str; 2], abouts: &[About; 5]) {
    let ([all, one], [list, create, read, change, remove]) = (paths, *abouts);
    api.add(Method::GET, all, list, self::list::<K>);
    api.add(Method::POST, all, create, self::create::<K>);
    api.add(Method::GET, one, read, get::<K>);
    api.add(Method::PATCH, one, change.guarded(), update::<K>);
    api.add(Method::DELETE, one, remove.guarded(), delete::<K>);
}

async fn list<K: Collection>(
    call: Call<Nothing, Search, Nothing>,
) -> Result<Answer<Page<Named<K>>>, Problem> {
    let range = call.query.range()?;
    let store = &call.site.services.store;
    let rows = K::page(store, call.query.begins(), range.after(), range.rows()).await?;
    let named = |(key, record)| Named { key, record };
    let page = range.page(rows, |(key, _)| key.to_string(), named);
    Ok(Answer::of(&page))
}

async fn get<K: Collection>(
    call: Call<ByKey<K>, Nothing, Nothing>,
) -> Result<Answer<Named<K>>, Problem> {
    let key = &call.path.0;
    if let Some(organization) = K::organization(key) {
        call.must(K::READ, Some(organization)).await?;
    }
    let found = K::read(&call.site.services.store, key).await?;
    let record = found.ok_or_else(|| Problem::not_found(K::KIND.as_str(), key))?;
    Ok(Answer::of(&Named::of(key, record)))
}

async fn create<K: Collection>(
    call: Call<Nothing, Nothing, New<K>>,
) -> Result<Answer<Named<K>, 201>, Problem> {
    let mut act = begun!(call);
    let New(Named { key, record }) = &call.body;
    act.create(key, record.clone()).await?;
    let created = Named::of(key, act.find::<K>(key).await?);
    let location = super::location(K::NAME, &key.to_string());
    call.created(act, &created, location).await
}

async fn update<K: Collection>(
    call: Call<ByKey<K>, Nothing, Patch<K>>,
) -> Result<Answer<Named<K>>, Problem> {
    let key = &call.path.0;
    if let Some(organization) = K::organization(key) {
        call.must(K::WRITE, Some(organization)).await?;
    }
    let mut act = begun!(call);
    let was = Named::of(key, act.find::<K>(key).await?);
    call.must_match(&was)?;
    let wanted = call.body.onto(&was.record)?;
    act.change(key, Some(&was.record), wanted).await?;
    let is = Named::of(key, act.find::<K>(key).await?);
    call.done(act, &is).await
}

async fn delete<K: Collection>(
    call: Call<ByKey<K>, Nothing, Nothing>,
) -> Result<Answer<Nothing, 204>, Problem> {
    let key = &call.path.0;
    let mut act = begun!(call);
    call.must_match(&Named::of(key, act.find::<K>(key).await?))?;
    act.remove::<K>(key).await?;
    call.gone(act).await
}

/// A thing of a collection with its name.
#[derive(Clone, Debug)]
pub(super) struct Named<K: Collection> {
    key: K::Key,
    record: K,
}

impl<K: Collection> Named<K> {
    fn of(key: &K::Key, record: K) -> Self {
        Self {
            key: record.own_key(key),
            record,
        }
    }
}

impl<K: Collection> Serialize for Named<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = Map::new();
        let name = Value::String(self.key.to_string());
        all.insert(K::KIND.key().to_owned(), name);
        let record = serde_json::to_value(&self.record).map_err(serde::ser::Error::custom)?;
        if let Value::Object(members) = record {
            all.extend(members);
        }
        all.serialize(serializer)
    }
}

impl<K: Collection> JsonSchema for Named<K> {
    fn schema_name() -> Cow<'static, str> {
        K::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = K::json_schema(generator);
        with_key::<K>(&mut schema, generator);
        schema
    }
}

/// Adds the member that names a thing.
fn with_key<K: Collection>(schema: &mut Schema, generator: &mut SchemaGenerator) {
    let mut key = K::Key::json_schema(generator).to_value();
    key["description"] = json!("Its name.");
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    let mut properties = Map::from_iter([(K::KIND.key().to_owned(), key)]);
    if let Some(Value::Object(members)) = object.remove("properties") {
        properties.extend(members);
    }
    object.insert("properties".to_owned(), Value::Object(properties));
    let mut required = vec![json!(K::KIND.key())];
    if let Some(Value::Array(members)) = object.remove("required") {
        required.extend(members);
    }
    object.insert("required".to_owned(), Value::Array(required));
}

/// A thing to create.
#[derive(Clone, Debug)]
pub(super) struct New<K: Collection>(Named<K>);

impl<K: Collection> Body for New<K> {
    fn names() -> Names {
        Names::of::<Named<K>>()
    }

    fn read(headers: &HeaderMap, bytes: &[u8], known: &Names) -> Result<Self, Problem> {
        let mut members = object(headers, bytes, &["application/json"])?;
        known.check(members.keys().map(String::as_str))?;
        let name = K::KIND.key();
        let refuse = |problem: String| Problem::unprocessable(name, problem);
        let key = match members.remove(name) {
            Some(Value::String(text)) => text,
            Some(_) => return Err(refuse("expected a string".to_owned())),
            None => return Err(refuse(format!("missing field `{name}`"))),
        };
        let key = K::Key::try_from(key).map_err(|problem| refuse(problem.to_string()))?;
        let record = typed(members)?;
        Ok(Self(Named { key, record }))
    }

    fn describe(generator: &mut SchemaGenerator) -> Option<(&'static str, Schema)> {
        Some(("application/json", closed::<Named<K>>(generator)))
    }
}

/// One thing of a collection, by its name in the path.
#[derive(Clone, Debug)]
pub(super) struct ByKey<K: Collection>(pub(super) K::Key);

impl<'de, K: Collection> Deserialize<'de> for ByKey<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut parts = std::collections::BTreeMap::<String, String>::deserialize(deserializer)?;
        let name = K::KIND.key();
        let text = parts.remove(name);
        let text = text.ok_or_else(|| D::Error::missing_field(name))?;
        K::Key::try_from(text).map(Self).map_err(D::Error::custom)
    }
}

impl<K: Collection> JsonSchema for ByKey<K> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}Key", K::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = schemars::json_schema!({ "type": "object" });
        with_key::<K>(&mut schema, generator);
        schema
    }
}
