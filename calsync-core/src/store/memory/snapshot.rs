//! Everything that is kept, as JSON: for tests that compare two stores, or one store before and after.

use super::tables::{BindingData, TenantData};
use serde_json::{Value, json};

pub(super) fn tenant(tenant: &TenantData) -> Value {
    let rows = tenant.rows.iter().map(|(id, rows)| (id.to_string(), binding(rows)));
    let leases = tenant.leases.iter().map(|(name, row)| {
        let lease = json!({"owner": row.owner, "fence": row.fence, "until": row.until});
        (name.clone(), lease)
    });
    let own = tenant
        .own
        .all()
        .map(|row| json!({"record": row.record, "operation": row.operation, "created": row.created}));
    let plans = tenant
        .plans
        .values()
        .map(|(header, rows)| json!({"header": header, "rows": rows.values().collect::<Vec<_>>()}));
    json!({
        "halt": tenant.halt,
        "leases": Value::Object(leases.collect()),
        "bindings": tenant.bindings.values().collect::<Vec<_>>(),
        "rows": Value::Object(rows.collect()),
        "own": own.collect::<Vec<_>>(),
        "plans": plans.collect::<Vec<_>>(),
        "sealed": tenant.sealed.values().flat_map(|rows| rows.values()).collect::<Vec<_>>(),
        "events": tenant.events.values().collect::<Vec<_>>(),
    })
}

fn binding(rows: &BindingData) -> Value {
    json!({
        "state": rows.state,
        "links": rows.links.by_record.values().collect::<Vec<_>>(),
        "remote": rows.remote.by_key.values().collect::<Vec<_>>(),
        "marks": rows.marks.by_record.values().collect::<Vec<_>>(),
        "deselected": rows.deselected,
        "outbox": rows.outbox.by_sequence.values().collect::<Vec<_>>(),
        "runs": rows.runs,
        "journal": rows.journal,
        "warnings": rows.warnings.values().collect::<Vec<_>>(),
    })
}
