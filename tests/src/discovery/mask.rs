//! The `fields` of a request: which part of the answer it asks for.
//!
//! The grammar is that of developers.google.com/workspace/calendar/api/guides/performance: names separated by commas,
//! `a/b` for b inside a, `a(b,c)` for several, `*` for all. Lists are looked through. Google refuses a name that the
//! answer's schema does not have, and answers with nothing that was not asked for; both are checked.

use std::collections::BTreeMap;

use super::document::{Schema, Type};

/// The chosen fields of one object; none at all means everything.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Mask(BTreeMap<String, Mask>);

/// Nothing in the API lies deeper.
const DEPTH_MAX: usize = 16;

impl Mask {
    /// Reads the text of `fields`, or says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Mask, String> {
        let mut rest = text;
        let mask = selection(&mut rest, 0)?;
        if rest.is_empty() { Ok(mask) } else { Err(format!("`{rest}` is left over")) }
    }

    /// What is chosen of the field with this name; `None` if it is not chosen at all.
    pub(super) fn of(&self, name: &str) -> Option<&Mask> {
        self.0.get(name).or_else(|| self.0.get("*"))
    }

    /// The mask, unless it leaves nothing out.
    pub(super) fn narrowing(&self) -> Option<&Mask> {
        (!self.0.is_empty()).then_some(self)
    }

    /// Whether the schema has all that is chosen.
    pub(super) fn check(&self, schema: &Schema, schemas: &BTreeMap<String, Schema>) -> Result<(), String> {
        if self.0.is_empty() {
            return Ok(());
        }
        if let Some(inner) = schema.reference.as_ref().and_then(|name| schemas.get(name)) {
            return self.check(inner, schemas);
        }
        if let Some(items) = &schema.items {
            return self.check(items, schemas);
        }
        if schema.kind == Some(Type::Any) {
            return Ok(());
        }
        for (name, inner) in &self.0 {
            if name == "*" {
                for field in schema.properties.values().chain(schema.additional_properties.as_deref()) {
                    inner.check(field, schemas)?;
                }
                continue;
            }
            match schema.properties.get(name).or(schema.additional_properties.as_deref()) {
                Some(field) => inner.check(field, schemas)?,
                None => return Err(format!("the answer has no field `{name}` there")),
            }
        }
        Ok(())
    }

    fn add(&mut self, name: &str, inner: Mask) {
        match self.0.get_mut(name) {
            None => {
                self.0.insert(name.to_owned(), inner);
            }
            // Asked for twice: once as a whole is everything, else both parts.
            Some(known) if known.0.is_empty() || inner.0.is_empty() => known.0.clear(),
            Some(known) => inner.0.into_iter().for_each(|(name, deeper)| known.add(&name, deeper)),
        }
    }
}

fn selection(rest: &mut &str, depth: usize) -> Result<Mask, String> {
    let mut mask = Mask::default();
    loop {
        let (name, inner) = path(rest, depth)?;
        mask.add(name, inner);
        match rest.strip_prefix(',') {
            Some(more) => *rest = more,
            None => return Ok(mask),
        }
    }
}

fn path<'a>(rest: &mut &'a str, depth: usize) -> Result<(&'a str, Mask), String> {
    if depth > DEPTH_MAX {
        return Err(format!("nested deeper than {DEPTH_MAX}"));
    }
    let end = rest.find([',', '/', '(', ')']).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    if name.is_empty() {
        return Err(format!("a name is missing before `{after}`"));
    }
    *rest = after;
    let mut inner = Mask::default();
    if let Some(deeper) = rest.strip_prefix('/') {
        *rest = deeper;
        let (name, mask) = path(rest, depth + 1)?;
        inner.add(name, mask);
    } else if let Some(deeper) = rest.strip_prefix('(') {
        *rest = deeper;
        inner = selection(rest, depth + 1)?;
        *rest = rest.strip_prefix(')').ok_or_else(|| format!("`(` after `{name}` is not closed"))?;
    }
    Ok((name, inner))
}
