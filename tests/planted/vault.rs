//! Which test of `vault.rs` notices which fault, and at which of its assertions.

noticed! {
    TakenByMany: together::s05_of_many_who_take_a_secret_at_once_one_gets_it at "count(), 1",
    RotationIsAWrite: together::s07_s08_who_refreshes_a_token_during_a_rotation_loses_nothing_to_it at "{head_start}: {name}",
    NotEncrypted: seals::s08_a_secret_is_nowhere_in_the_store_and_no_two_seals_of_it_are_the_same at "it is there to be read",
    NonceRepeated: seals::s08_a_secret_is_nowhere_in_the_store_and_no_two_seals_of_it_are_the_same at "nonce(&amy)",
    FitsAnyTenant: seals::s08_a_row_that_is_copied_to_another_tenant_with_all_its_keys_does_not_open_there at "Some(ErrorKind::Store)",
    FitsAnyKind: seals::s08_a_row_opens_under_no_other_kind_name_or_version at "another kind",
    FitsAnyName: seals::s08_a_row_opens_under_no_other_kind_name_or_version at "another name",
    FitsAnyVersion: seals::s08_a_row_opens_under_no_other_kind_name_or_version at "another version",
    SecretLostUntold: seals::s08_without_a_key_a_secret_is_refused_and_nothing_of_it_is_kept at "Some(ErrorKind::Config)",
    KeyMayBeGone: together::s08_who_is_held_up_before_a_write_puts_nothing_under_a_key_that_is_gone at "is lost",
    OldKeyNotRetired: together::s08_who_is_held_up_before_a_write_puts_nothing_under_a_key_that_is_gone at "is lost",
    NeededKeyDropped: seals::s08_a_row_that_does_not_open_keeps_its_key_through_a_rotation_and_can_be_mended at "its key is gone",
    InterruptedIsDone: interrupted::s08_a_rotation_of_a_data_key_that_is_interrupted_anywhere_ends_when_it_is_called_again at "the old keys are gone",
    MasterNotCompared: interrupted::s08_a_rotation_of_the_master_key_that_is_interrupted_anywhere_ends_when_it_is_called_again at "found.as_deref()",
    FailureIsFinished: seals::s08_a_rotation_of_the_master_key_is_not_finished_while_a_key_needs_the_old_one at "a key is needed that is not here",
    DryRunWrites: seals::s08_a_rotation_of_the_master_key_is_not_finished_while_a_key_needs_the_old_one at "a dry run writes nothing",
    DataKeyLeft: interrupted::s11_forgetting_that_is_interrupted_anywhere_ends_when_it_is_called_again at "store.sealed_rows",
}
