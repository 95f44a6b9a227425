//! Zones that were given another name, and keep the old one as a link.
//!
//! Zone data travels slowly: Google refused `Europe/Kyiv` until March 2023, half a year after it was named so, and wanted `Europe/Kiev`
//! (OutlookGoogleCalendarSync, `HandleAPIlimits`); a program that was built before knows the old name alone. Both mean the same clocks
//! for all time, which a test holds. So a calendar service that does not know the one may be asked with the other, and which of both
//! an event comes back with is no edit.
//!
//! The table has the renamings of the IANA file `backward` that are of one place. Zones that were merged into another one are not
//! in it: those differ in their past.

/// The name now, and the one before.
static TABLE: &[(&str, &str)] = &[
    ("Africa/Asmara", "Africa/Asmera"),
    ("America/Argentina/Buenos_Aires", "America/Buenos_Aires"),
    ("America/Argentina/Catamarca", "America/Catamarca"),
    ("America/Argentina/Cordoba", "America/Cordoba"),
    ("America/Argentina/Jujuy", "America/Jujuy"),
    ("America/Argentina/Mendoza", "America/Mendoza"),
    ("America/Indiana/Indianapolis", "America/Indianapolis"),
    ("America/Kentucky/Louisville", "America/Louisville"),
    ("America/Nuuk", "America/Godthab"),
    ("Asia/Ashgabat", "Asia/Ashkhabad"),
    ("Asia/Dhaka", "Asia/Dacca"),
    ("Asia/Ho_Chi_Minh", "Asia/Saigon"),
    ("Asia/Kathmandu", "Asia/Katmandu"),
    ("Asia/Kolkata", "Asia/Calcutta"),
    ("Asia/Macau", "Asia/Macao"),
    ("Asia/Makassar", "Asia/Ujung_Pandang"),
    ("Asia/Thimphu", "Asia/Thimbu"),
    ("Asia/Ulaanbaatar", "Asia/Ulan_Bator"),
    ("Asia/Yangon", "Asia/Rangoon"),
    ("Atlantic/Faroe", "Atlantic/Faeroe"),
    ("Europe/Kyiv", "Europe/Kiev"),
    ("Pacific/Chuuk", "Pacific/Truk"),
    ("Pacific/Kanton", "Pacific/Enderbury"),
    ("Pacific/Pohnpei", "Pacific/Ponape"),
];

/// The name that a zone has now, whichever of both it is called by.
pub(crate) fn newer(name: &str) -> &str {
    TABLE.iter().find(|(_, old)| *old == name).map_or(name, |(new, _)| new)
}

/// The other name of a zone, where it has two.
pub(crate) fn other(name: &str) -> Option<&'static str> {
    TABLE.iter().find_map(|&(new, old)| match name {
        _ if name == new => Some(old),
        _ if name == old => Some(new),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::Zone;

    #[test]
    fn c12_both_names_of_a_zone_mean_the_same_clocks_for_all_time() {
        for (new, old) in TABLE {
            let table = |name: &str| Zone::new(name).expect(name).offsets().expect(name);
            assert_eq!(table(new), table(old), "{new} and {old}");
            assert_eq!((other(new), other(old)), (Some(*old), Some(*new)));
            assert_eq!((newer(new), newer(old)), (*new, *new));
        }
        assert_eq!((other("Europe/Berlin"), newer("Europe/Berlin")), (None, "Europe/Berlin"));
    }
}
