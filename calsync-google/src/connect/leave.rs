//! Somebody disconnects, and says what is to become of what was kept in step.

use super::{Connections, Disconnected, Method};
use calsync_core::engine::{Made, Unbound};
use calsync_core::provider::Effort;
use calsync_core::{Binding, Engine, Error, ErrorKind, Result};

/// What becomes of an account's bindings when it disconnects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// They stay, with all links: they say that the account has to connect, and go on where they were when it does.
    Keep,
    /// They are taken apart. Appointments stay on both sides; bound again, the same ones find each other.
    Unlink,
    /// What calsync made in the calendars is deleted there, and the bindings are taken apart. The CRM keeps everything, what was
    /// in the calendars before stays, and nobody is mailed. With what [`Connections::made`] said, and a person agreed to.
    DeleteMade(Vec<Made>),
}

/// What became of an account that disconnects.
#[derive(Debug)]
pub struct Departure {
    /// What became of its bindings; empty where they are kept.
    pub unbound: Vec<Unbound>,
    /// What became of its grant; `None` where there was none, or where a binding is not finished yet.
    pub disconnected: Option<Disconnected>,
    /// Everything is done. If not, the time of a run was over: call again, and it goes on.
    pub finished: bool,
}

impl Connections {
    /// The bindings of an account: those that act for it, or with one shared account all that this way to connect serves.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn bindings(&self, engine: &Engine, account: &str) -> Result<Vec<Binding>> {
        let account = account.trim().to_lowercase();
        let shared = match self.method(engine.tenant()).await? {
            Some(Method::SharedAccount { account: shared }) => shared == account,
            _ => false,
        };
        let mut bindings = engine.bindings().await?;
        bindings.retain(|binding| {
            binding.provider.as_str() == self.shared.provider
                && (shared || binding.target.subject.trim().to_lowercase() == account)
        });
        Ok(bindings)
    }

    /// What calsync made in the calendars of an account's bindings, to be shown before it is deleted.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn made(&self, engine: &Engine, account: &str) -> Result<Vec<Made>> {
        let mut made = Vec::new();
        for binding in self.bindings(engine, account).await? {
            made.push(engine.made(&binding).await?);
        }
        Ok(made)
    }

    /// Disconnects an account, and does with its bindings as `leaving` says, while the grant is still there to do it with. The tenant
    /// is the engine's. Safe to repeat; after an error, or while it is not finished, call again with the same words.
    ///
    /// # Errors
    /// [`ErrorKind::PreconditionFailed`] when there is more to be deleted than was agreed to: nothing was deleted in that calendar
    /// then, and the account stays connected. Otherwise as [`Engine::unbind_deleting`], [`Engine::unbind`] and
    /// [`Connections::disconnect`].
    pub async fn leave(
        &self,
        engine: &Engine,
        account: &str,
        leaving: &Leaving,
        effort: &Effort,
    ) -> Result<Departure> {
        let mut departure = Departure { unbound: Vec::new(), disconnected: None, finished: true };
        if *leaving != Leaving::Keep {
            for binding in self.bindings(engine, account).await? {
                let unbound = unbind(engine, &binding, leaving).await?;
                departure.finished &= unbound.finished;
                departure.unbound.push(unbound);
            }
        }
        if departure.finished {
            departure.disconnected = self.disconnect(engine.tenant(), account, effort).await?;
        }
        Ok(departure)
    }
}

async fn unbind(engine: &Engine, binding: &Binding, leaving: &Leaving) -> Result<Unbound> {
    let Leaving::DeleteMade(shown) = leaving else {
        engine.unbind(binding).await?;
        let binding = binding.id.clone();
        return Ok(Unbound { binding, deleted: 0, kept: Vec::new(), finished: true });
    };
    let shown = shown.iter().find(|made| made.binding == binding.id).ok_or_else(|| {
        Error::new(ErrorKind::PreconditionFailed, "nobody agreed to what calsync made in this calendar")
            .with("binding", &binding.id)
            .with("calendar", &binding.target.calendar)
            .cure("Ask Connections::made again, and show that.")
    })?;
    engine.unbind_deleting(binding, shown).await
}
