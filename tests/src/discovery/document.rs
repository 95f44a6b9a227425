//! The discovery document as plain data.
//!
//! Only what the checks need is read. What decides over right and wrong, the types and the formats, is read strictly: a
//! document with a new one does not parse. The values that a string may take stand only in its description, one line
//! each (`- "confirmed" - The event is confirmed.`), and are taken from there while reading.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// The whole document, as it lies on disk.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    service_path: String,
    /// The parameters that every method takes: `fields`, `alt`, `quotaUser` …
    parameters: BTreeMap<String, Parameter>,
    pub(super) schemas: BTreeMap<String, Schema>,
    resources: BTreeMap<String, Resource>,
}

/// One method, with what it shares with all others filled in.
#[derive(Debug)]
pub(super) struct Method {
    pub(super) id: String,
    pub(super) http_method: String,
    /// The path from the root, cut at its slashes.
    pub(super) path: Vec<Segment>,
    /// The query parameters, the common ones included.
    pub(super) query: BTreeMap<String, Parameter>,
    pub(super) request: Option<String>,
    pub(super) response: Option<String>,
}

/// A piece of a method's path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Literal(String),
    Parameter,
}

/// A parameter of a method.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Parameter {
    location: Location,
    #[serde(default)]
    pub(super) required: bool,
    #[serde(default)]
    pub(super) repeated: bool,
    #[serde(rename = "type")]
    pub(super) kind: Type,
    pub(super) format: Option<Format>,
    pub(super) minimum: Option<String>,
    pub(super) maximum: Option<String>,
    #[serde(default, rename = "enum")]
    pub(super) values: Vec<String>,
}

/// A schema: what a value may be.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Schema {
    /// The schema's name, if it is one that others refer to.
    pub(super) id: Option<String>,
    /// Missing where `reference` stands.
    #[serde(rename = "type")]
    pub(super) kind: Option<Type>,
    pub(super) format: Option<Format>,
    #[serde(rename = "$ref")]
    pub(super) reference: Option<String>,
    #[serde(default)]
    pub(super) properties: BTreeMap<String, Schema>,
    pub(super) items: Option<Box<Schema>>,
    pub(super) additional_properties: Option<Box<Schema>>,
    #[serde(default)]
    annotations: Annotations,
    pub(super) default: Option<String>,
    /// The only values that the description lists; empty if it lists none, or says that there are more.
    #[serde(default, rename = "description", deserialize_with = "listed_values")]
    pub(super) values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Type {
    String,
    Integer,
    Number,
    Boolean,
    Array,
    Object,
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Format {
    Int32,
    /// A string of digits: a JSON number would lose them in JavaScript.
    Int64,
    Date,
    DateTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Location {
    Path,
    Query,
}

#[derive(Debug, Default, Deserialize)]
struct Annotations {
    /// The ids of the methods whose request needs the field.
    #[serde(default)]
    required: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Resource {
    #[serde(default)]
    methods: BTreeMap<String, WrittenMethod>,
    #[serde(default)]
    resources: BTreeMap<String, Resource>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenMethod {
    id: String,
    http_method: String,
    path: String,
    #[serde(default)]
    parameters: BTreeMap<String, Parameter>,
    request: Option<Reference>,
    response: Option<Reference>,
}

#[derive(Debug, Deserialize)]
struct Reference {
    #[serde(rename = "$ref")]
    name: String,
}

impl Document {
    /// All methods of all resources.
    pub(super) fn methods(&self) -> Vec<Method> {
        let mut methods = Vec::new();
        for resource in self.resources.values() {
            self.gather(resource, &mut methods);
        }
        methods
    }

    fn gather(&self, resource: &Resource, methods: &mut Vec<Method>) {
        for written in resource.methods.values() {
            let query = self.parameters.iter().chain(&written.parameters);
            methods.push(Method {
                id: written.id.clone(),
                http_method: written.http_method.clone(),
                path: segments(&format!("{}{}", self.service_path, written.path)),
                query: query
                    .filter(|(_, parameter)| parameter.location == Location::Query)
                    .map(|(name, parameter)| (name.clone(), parameter.clone()))
                    .collect(),
                request: written.request.as_ref().map(|reference| reference.name.clone()),
                response: written.response.as_ref().map(|reference| reference.name.clone()),
            });
        }
        for inner in resource.resources.values() {
            self.gather(inner, methods);
        }
    }
}

impl Schema {
    /// Whether a request to the method with this id needs the field.
    pub(super) fn is_required_by(&self, method: &str) -> bool {
        self.annotations.required.iter().any(|id| id == method)
    }
}

fn segments(path: &str) -> Vec<Segment> {
    path.split('/')
        .map(
            |piece| {
                if piece.starts_with('{') { Segment::Parameter } else { Segment::Literal(piece.to_owned()) }
            },
        )
        .collect()
}

/// Reads a description, keeps the values that it lists.
fn listed_values<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let description = String::deserialize(deserializer)?;
    // `Error.reason` lists "some of the possible values", and clients are told to expect more.
    if description.contains("Some of the possible values") {
        return Ok(Vec::new());
    }
    let value = |line: &str| Some(line.strip_prefix("- \"")?.split_once('"')?.0.to_owned());
    Ok(description.lines().filter_map(value).collect())
}
