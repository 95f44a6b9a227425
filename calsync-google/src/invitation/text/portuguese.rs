//! Portuguese, as in Brazil.

use super::words::{Sight, Words};
use crate::scope::Feature;

pub(super) const WORDS: Words = Words {
    subject: "Conecte a sua Google Agenda ao {app}",
    hello_name: "Olá, {name}!",
    hello: "Olá!",
    intro: "O {app} pede que você conecte a sua Google Agenda, para que os seus compromissos sejam os mesmos nos dois lados. Leva cerca de \
            um minuto.",
    open: "Abra este link:",
    once: "O link funciona uma única vez, até {when}. Ele é só para você: não o encaminhe a ninguém.",
    heading: "O que o Google vai perguntar:",
    account: "Escolha esta conta, e nenhuma outra:",
    testing: "O Google mostra \"O Google não verificou este app\". Isso é esperado, pois o {app} está registrado no Google como teste: \
              escolha \"Continuar\" (\"Continue\").",
    unverified: "O Google mostra \"O Google não verificou este app\". Isso é esperado, pois a verificação do {app} pelo Google ainda não \
                 terminou: escolha \"Avançado\" e depois \"Acessar {app}\".",
    perhaps: "Se o Google mostrar \"O Google não verificou este app\", escolha \"Continuar\" (\"Continue\"). Se essa opção não aparecer, \
              escolha \"Avançado\" e depois \"Acessar {app}\".",
    boxes: "Marque todas as caixas (\"Selecionar tudo\", \"Select all\") e escolha \"Continuar\". O {app} pede permissão para:",
    after: "Depois disso você volta ao {app}, que diz se deu certo.",
    password: "O {app} nunca pede a sua senha. Só o Google a pede, numa página cujo endereço começa com https://accounts.google.com/",
    withdraw: "Você pode retirar o seu consentimento a qualquer momento: https://myaccount.google.com/connections",
    ignore: "Se você não sabe do que se trata, ignore esta mensagem. Nada é conectado sem você.",
    questions: "Dúvidas: {support}",
    date: "{weekday}, {day} de {month} de {year}",
    moment: "{date}, às {time} ({zone})",
    feature,
    seen,
};

fn feature(feature: Feature) -> &'static str {
    match feature {
        Feature::WriteEvents => "ver e alterar os eventos das suas agendas",
        Feature::ReadEvents => "ver os eventos das suas agendas",
        Feature::ListCalendars => "ver a lista das suas agendas",
        Feature::Subscribe => "incluir na sua lista agendas compartilhadas com você",
        Feature::WorkingHours => "ver o seu horário de trabalho e o seu fuso horário",
        Feature::FreeBusy => "ver quando você está ocupado",
        Feature::Settings => "ver as configurações da sua agenda",
        Feature::Sharing => "ver com quem as suas agendas são compartilhadas",
        Feature::Rooms => "ver as salas da sua organização",
        Feature::Identity => "ver o endereço de e-mail da sua conta",
    }
}

fn seen(sight: Sight) -> (&'static str, &'static str) {
    match sight {
        Sight::Connected => (
            "A sua agenda está conectada",
            "O {app} agora pode manter os seus compromissos iguais aos da Google Agenda. Você pode fechar esta página.",
        ),
        Sight::Expired => (
            "Este link expirou",
            "Um link funciona por tempo limitado, e o deste já passou. Nada foi alterado. Peça um novo a quem convidou você.",
        ),
        Sight::Used => (
            "Este link já foi usado",
            "Cada link funciona uma única vez. Se você já conectou a sua agenda, não há mais nada a fazer; caso contrário, peça um novo a quem \
             convidou você.",
        ),
        Sight::WrongAccount => (
            "Essa era outra conta",
            "Este convite é para {expected}, e você escolheu outra conta do Google. Nada foi guardado. Tente de novo e escolha essa conta; se \
             ela não estiver na lista, escolha \"Usar outra conta\".",
        ),
        Sight::NotTestUser => (
            "O Google ainda não aceita esta conta",
            "O {app} está registrado no Google como teste, e a sua conta não está na lista de usuários de teste. Peça a quem convidou você \
             que a inclua, e depois abra de novo o link da mensagem.",
        ),
        Sight::ScopeUnticked => (
            "Algumas caixas não foram marcadas",
            "O {app} ainda precisa da sua permissão para: {features}. Tente de novo e marque todas as caixas (\"Selecionar tudo\", \"Select \
             all\").",
        ),
        Sight::Refused => (
            "Você não concordou",
            "Nada foi conectado e nada foi guardado. Se foi por engano, você pode tentar de novo.",
        ),
        Sight::AdminBlocked => (
            "A sua organização não permite isso",
            "O administrador da sua conta do Google não autorizou o {app}. Peça a ele que autorize, e depois abra de novo o link da mensagem.",
        ),
        Sight::OrgInternal => (
            "Esta conta é de outra organização",
            "O {app} está registrado no Google para uma única organização. Tente de novo com a sua conta dessa organização; se já era essa, \
             avise quem convidou você.",
        ),
        Sight::Unverified => (
            "O Google ainda não verificou o {app}",
            "O Google parou porque não verificou o {app}. Tente de novo e escolha \"Continuar\" (\"Continue\"), ou \"Avançado\" e depois \
             \"Acessar {app}\". Se nenhuma das opções aparecer, avise quem convidou você.",
        ),
        Sight::Unconfigured => (
            "Isto ainda não está configurado",
            "A conexão do {app} com o Google ainda não está totalmente configurada. Você não fez nada de errado. Avise quem convidou você.",
        ),
        Sight::Altered => (
            "Este link não está completo",
            "O endereço desta página não é o que foi enviado. Nada foi alterado. Abra de novo o link da mensagem e, se não resolver, copie-o \
             por inteiro.",
        ),
        Sight::Unknown => (
            "Não deu certo",
            "O Google ou o {app} teve um problema, e nada foi conectado. Tente de novo em alguns minutos.",
        ),
    }
}
