//! Which test of `check_configuration.rs` notices which fault, and at which of its assertions.

noticed! {
    SpareIsAsked: service_accounts::s10_the_scopes_of_halo_s_guide_work_unchanged_and_narrower_ones_are_recommended at "asked.iter().collect",
    SpareUntold: service_accounts::s10_the_scopes_of_halo_s_guide_work_unchanged_and_narrower_ones_are_recommended at "granted is more than is needed",
}
