//! Guests who are in the calendar since mail was on, and should not be there any more.

use super::{Plan, RowState, kept};
use crate::binding::Binding;
use crate::clock::EntropyExt;
use crate::engine::Engine;
use crate::engine::run::Pass;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{PlanId, RecordId};
use crate::model::State;
use crate::plan::Row;
use crate::store::{Link, Which};
use std::collections::BTreeSet;

impl Engine {
    /// Draws up a plan that takes the guests out of every event of the calendar that both sides have and that this calendar
    /// invites to. They stay in the CRM, and nobody is mailed, whatever the binding says about mail.
    ///
    /// For a binding in which mail was on and is switched off: calsync mails nobody about such an event from then on, but whoever
    /// changes or deletes it in the calendar by hand is offered by Google to mail the guests who are still on it. The plan writes
    /// nothing; an empty one says that there is nothing to take out. [`Engine::apply`] carries out what is selected of it. Rows that
    /// are deselected stay as they are, and their guests are kept in step as ever.
    ///
    /// An event whose guests are out stays without them: what the CRM or somebody in the calendar changes about its guests is not
    /// carried over any more. Appointments that are made later get their guests in the calendar as before.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the binding does not write to the calendar; otherwise as [`Engine::plan`].
    pub async fn plan_guests_out(&self, binding: &Binding) -> Result<Plan> {
        let mut pass = self.begin(&binding.id).await?;
        let id = PlanId::new(self.shared.entropy.hex());
        let outcome = pass.draw_up_guests_out(&id).await;
        pass.end_quietly(outcome).await?;
        self.open_plan(&id).await
    }
}

impl Pass<'_> {
    async fn draw_up_guests_out(&mut self, id: &PlanId) -> Result<()> {
        if !self.binding.direction.writes_remote() {
            return Err(Error::new(ErrorKind::Config, "this binding does not write to the calendar")
                .with("binding", &self.binding.id)
                .cure("Change its direction first (Engine::redirect), or take the guests out by hand."));
        }
        self.heeds_halt = false;
        self.observe_both().await?;
        let hold = self.guard().await?;
        self.guests_out = true;
        self.put_header(id).await?;
        let store = std::sync::Arc::clone(&self.engine.shared.store);
        let (tenant, binding) = (self.binding.tenant.clone(), self.binding.id.clone());
        let count = self.engine.shared.settings.page_records_max;
        let (mut number, mut after) = (0, None::<RecordId>);
        // A series stands at its own place or at that of its first occurrence with guests, whichever comes first.
        let mut roots = BTreeSet::new();
        loop {
            self.hold().await?;
            let links = store.links_after(&tenant, &binding, after.as_ref(), count).await?;
            let Some(last) = links.last() else { return Ok(()) };
            after = Some(last.record.clone());
            let mut batch = self.batch();
            batch.plan_of = Some(id.clone());
            for root in links.iter().filter(|link| invites(link)).map(|link| link.record_root.to_string()) {
                if !roots.insert(root.clone()) {
                    continue;
                }
                let family = store.family(&tenant, &binding, Which::Local, &root).await?;
                let plan = self.decide(Which::Local, &root, family, hold).await?;
                let leave = |row: &Row| row.units.iter().any(|unit| unit.guest().is_some());
                if !plan.rows.iter().any(leave) {
                    continue;
                }
                for row in plan.rows {
                    number += 1;
                    let state = RowState::of(&row, true);
                    batch.plan_rows.push(kept::store(
                        number,
                        &(Which::Local, root.clone()),
                        state,
                        None,
                        row,
                    )?);
                }
            }
            self.commit(batch).await?;
        }
    }
}

fn invites(link: &Link) -> bool {
    let Some(State::Live(fields)) = &link.base else { return false };
    fields.guests().next().is_some()
}
