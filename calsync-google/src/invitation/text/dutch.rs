//! Dutch, with `u`, as the guides of the systems that are replaced have it.

use super::words::{Sight, Words};
use crate::scope::Feature;

pub(super) const WORDS: Words = Words {
    subject: "Verbind uw Google Agenda met {app}",
    hello_name: "Beste {name},",
    hello: "Goedendag,",
    intro: "{app} vraagt u om uw Google Agenda te verbinden, zodat uw afspraken aan beide kanten gelijk zijn. Het kost ongeveer een minuut.",
    open: "Open deze link:",
    once: "De link werkt één keer, tot {when}. Hij is alleen voor u bedoeld: stuur hem alstublieft niet door.",
    heading: "Wat Google u zal vragen:",
    account: "Kies dit account, en geen ander:",
    testing: "Google toont \"Google heeft deze app niet geverifieerd\". Dat hoort zo, want {app} is bij Google als test aangemeld: kies \
              \"Doorgaan\" (\"Continue\").",
    unverified: "Google toont \"Google heeft deze app niet geverifieerd\". Dat hoort zo, want de controle van {app} door Google is nog niet \
                 klaar: kies \"Geavanceerd\" en dan \"Ga naar {app}\".",
    perhaps: "Toont Google \"Google heeft deze app niet geverifieerd\", kies dan \"Doorgaan\" (\"Continue\"). Staat dat er niet, kies dan \
              \"Geavanceerd\" en daarna \"Ga naar {app}\".",
    boxes: "Vink alle vakjes aan (\"Alles selecteren\", \"Select all\") en kies dan \"Doorgaan\". {app} vraagt toestemming om:",
    after: "Daarna bent u terug in {app}, en ziet u of het gelukt is.",
    password: "{app} vraagt nooit om uw wachtwoord. Dat doet alleen Google, op een pagina waarvan het adres begint met \
               https://accounts.google.com/",
    withdraw: "U kunt uw toestemming altijd weer intrekken: https://myaccount.google.com/connections",
    ignore: "Weet u niet waar dit over gaat, dan hoeft u niets te doen. Zonder u wordt er niets verbonden.",
    questions: "Vragen: {support}",
    date: "{weekday} {day} {month} {year}",
    moment: "{date}, {time} uur ({zone})",
    feature,
    seen,
};

fn feature(feature: Feature) -> &'static str {
    match feature {
        Feature::WriteEvents => "de afspraken in uw agenda's te bekijken en te wijzigen",
        Feature::ReadEvents => "de afspraken in uw agenda's te bekijken",
        Feature::ListCalendars => "de lijst van uw agenda's te bekijken",
        Feature::Subscribe => "agenda's die met u gedeeld zijn aan uw lijst toe te voegen",
        Feature::WorkingHours => "uw werktijden en uw tijdzone te bekijken",
        Feature::FreeBusy => "te zien wanneer u bezet bent",
        Feature::Settings => "de instellingen van uw agenda te bekijken",
        Feature::Sharing => "te zien met wie uw agenda's gedeeld zijn",
        Feature::Rooms => "de ruimten van uw organisatie te bekijken",
        Feature::Identity => "het e-mailadres van uw account te zien",
    }
}

fn seen(sight: Sight) -> (&'static str, &'static str) {
    match sight {
        Sight::Connected => (
            "Uw agenda is verbonden",
            "{app} kan uw afspraken nu gelijk houden met Google Agenda. U kunt deze pagina sluiten.",
        ),
        Sight::Expired => (
            "Deze link is verlopen",
            "Een link werkt maar een beperkte tijd, en die is voorbij. Er is niets veranderd. Vraag degene die u uitnodigde om een nieuwe.",
        ),
        Sight::Used => (
            "Deze link is al gebruikt",
            "Elke link werkt één keer. Hebt u uw agenda al verbonden, dan hoeft u niets meer te doen; vraag anders degene die u uitnodigde \
             om een nieuwe.",
        ),
        Sight::WrongAccount => (
            "Dat was een ander account",
            "Deze uitnodiging is voor {expected}, en u koos een ander Google-account. Er is niets bewaard. Probeer het opnieuw en kies dat \
             account; staat het niet in de lijst, kies dan \"Een ander account gebruiken\".",
        ),
        Sight::NotTestUser => (
            "Google laat dit account nog niet toe",
            "{app} is bij Google als test aangemeld, en uw account staat niet in de lijst van testgebruikers. Vraag degene die u uitnodigde \
             om het toe te voegen, en open daarna de link in uw mail opnieuw.",
        ),
        Sight::ScopeUnticked => (
            "Niet alle vakjes zijn aangevinkt",
            "{app} heeft nog toestemming nodig om: {features}. Probeer het opnieuw en vink alle vakjes aan (\"Alles selecteren\", \"Select \
             all\").",
        ),
        Sight::Refused => (
            "U gaf geen toestemming",
            "Er is niets verbonden en niets bewaard. Was dat een vergissing, dan kunt u het opnieuw proberen.",
        ),
        Sight::AdminBlocked => (
            "Uw organisatie staat dit niet toe",
            "De beheerder van uw Google-account heeft {app} niet toegestaan. Vraag de beheerder om dat te doen, en open daarna de link in uw \
             mail opnieuw.",
        ),
        Sight::OrgInternal => (
            "Dit account hoort bij een andere organisatie",
            "{app} is bij Google voor één organisatie aangemeld. Probeer het opnieuw met uw account van die organisatie; was dat het al, laat \
             het dan weten aan degene die u uitnodigde.",
        ),
        Sight::Unverified => (
            "Google heeft {app} nog niet geverifieerd",
            "Google stopte omdat het {app} niet heeft geverifieerd. Probeer het opnieuw en kies \"Doorgaan\" (\"Continue\"), of \
             \"Geavanceerd\" en daarna \"Ga naar {app}\". Staat geen van beide er, laat het dan weten aan degene die u uitnodigde.",
        ),
        Sight::Unconfigured => (
            "Dit is nog niet ingesteld",
            "De verbinding van {app} met Google is nog niet volledig ingesteld. U deed niets verkeerd. Laat het weten aan degene die u \
             uitnodigde.",
        ),
        Sight::Altered => (
            "Deze link is niet volledig",
            "Het adres van deze pagina is niet het adres dat verstuurd is. Er is niets veranderd. Open de link in uw mail opnieuw, en helpt \
             dat niet, kopieer hem dan helemaal.",
        ),
        Sight::Unknown => (
            "Dat is niet gelukt",
            "Google of {app} had een probleem, en er is niets verbonden. Probeer het over een paar minuten opnieuw.",
        ),
    }
}
