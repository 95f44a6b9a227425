//! The kill switch: set, taken back, and heeded.

use super::Engine;
use super::run::Pass;
use crate::error::{Error, ErrorKind, Result};
use crate::halt::Halt;
use crate::planted::{self, Fault};

impl Engine {
    /// Stops everything that writes for this tenant, in every process that uses this store: a run that is going on stops at
    /// its next step, others do not begin. `by` and `reason` are for whoever finds it halted. Halting again replaces who and
    /// why. Nothing is lost: cursors, links and everything pending stay.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn halt(&self, by: impl Into<String>, reason: impl Into<String>) -> Result<()> {
        let halt =
            Halt { everyone: false, by: by.into(), reason: reason.into(), at: self.shared.clock.now() };
        self.shared.store.set_halt(Some(&self.tenant), Some(halt)).await
    }

    /// Takes [`Engine::halt`] back; without one nothing happens. A halt of every tenant stays.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn unhalt(&self) -> Result<()> {
        self.shared.store.set_halt(Some(&self.tenant), None).await
    }

    /// As [`Engine::halt`], for every tenant of the store.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn halt_all(&self, by: impl Into<String>, reason: impl Into<String>) -> Result<()> {
        let halt = Halt { everyone: true, by: by.into(), reason: reason.into(), at: self.shared.clock.now() };
        self.shared.store.set_halt(None, Some(halt)).await
    }

    /// Takes [`Engine::halt_all`] back; without one nothing happens. Tenants that were halted for themselves stay so.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn unhalt_all(&self) -> Result<()> {
        self.shared.store.set_halt(None, None).await
    }

    /// The halt in force for this tenant: that of every tenant first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn halted(&self) -> Result<Option<Halt>> {
        self.shared.store.halt(&self.tenant).await
    }
}

impl Pass<'_> {
    /// Stops the run when somebody halted everything.
    pub(super) async fn heed_halt(&self) -> Result<()> {
        if !self.heeds_halt || planted::on(Fault::HaltIgnored) {
            return Ok(());
        }
        let Some(halt) = self.engine.shared.store.halt(&self.binding.tenant).await? else { return Ok(()) };
        let cure = if halt.everyone { "Engine::unhalt_all" } else { "Engine::unhalt" };
        Err(Error::new(ErrorKind::Halted, halt.to_string())
            .with("binding", &self.binding.id)
            .cure(format!("{cure} lets runs go on where they stopped; nothing is lost until then.")))
    }
}
