//! A person's yes to what the guards hold back.

use super::Engine;
use crate::audit::Audited;
use crate::binding::Binding;
use crate::error::{Error, ErrorKind, Result};
use crate::guard::Held;
use crate::store::Batch;
use serde_json::json;

impl Engine {
    /// Lets what the last run held back be done once: up to as many writes of that kind on that side. The next run uses it up,
    /// whether there is as much to do or less; more than that waits again. Not used within 24 hours, it is forgotten. `held` is
    /// from the run's report, or from [`Engine::state`]. Nothing is read or written on either side here.
    ///
    /// A listing that is confirmed lets what it lacked be read by id, and what is gone be removed in the CRM.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when nothing like it is held back, or not as much; [`ErrorKind::LeaseLost`] while a run is going
    /// on.
    pub async fn confirm(&self, binding: &Binding, held: &Held) -> Result<()> {
        let pass = self.begin(&binding.id).await?;
        let mut state = pass.state.clone();
        let known = state.guard.confirm(held, self.shared.clock.now());
        let mut batch = Batch { settings: None, ..pass.batch() };
        batch.release = true;
        batch.state = known.then_some(state);
        if known {
            let facts =
                json!({"side": held.side, "kind": held.kind, "over": held.over, "count": held.planned});
            batch.events.push(self.event(Audited::Confirmed, &binding.id, facts));
        }
        self.shared.store.commit(batch).await?;
        if !known {
            return Err(Error::new(ErrorKind::NotFound, "nothing like this is held back, or not as much of it")
                .with("binding", &binding.id)
                .with("confirmed", held.planned)
                .cure("Run again and confirm what that run reports; what was confirmed already needs no second yes."));
        }
        tracing::info!(
            binding = %binding.id, side = ?held.side, kind = %held.kind, over = ?held.over, count = held.planned, "confirmed"
        );
        Ok(())
    }
}
