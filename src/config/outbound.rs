//! What leaves the gateway by itself: `[webhooks]` and `[mail]` of `gateway.toml`.

use std::path::{Path, PathBuf};

use ipnet::IpNet;

use super::{Page, parse};
use crate::{
    gateway::Options,
    mail::{self, Encryption},
};

/// Networks that webhooks may lead to, at most.
const NETWORKS_MAX: usize = 64;

const ENCRYPTIONS: &[(&str, Encryption)] = &[
    ("tls", Encryption::Tls),
    ("starttls", Encryption::StartTls),
    ("danger_none", Encryption::DangerNone),
];

/// Reads both; paths in them are relative to `beside`.
pub(super) fn read(page: &mut Page, beside: &Path, options: &mut Options) {
    let webhooks = &mut options.webhooks;
    let network = |value: &toml::Value| {
        let expected = "a network such as 10.1.0.0/16";
        parse::parsed::<IpNet>(expected)(value)
    };
    webhooks.guard.allow =
        page.or("webhooks.allow", Vec::new(), parse::list(NETWORKS_MAX, network));
    webhooks.guard.danger_loopback = page.or("webhooks.danger_loopback", false, parse::flag);
    webhooks.ca = page.optional("webhooks.ca", parse::path).map(|path| beside.join(path));
    options.mail = mail(page, beside);
}

/// `[mail]`, if it is there at all.
fn mail(page: &mut Page, beside: &Path) -> Option<mail::Options> {
    let host = page.optional("mail.host", parse::text);
    let encryption = page.optional("mail.encryption", parse::one_of(ENCRYPTIONS));
    let port = page.optional("mail.port", parse::port);
    let user = page.optional("mail.user", parse::text);
    let password = page.optional("mail.password_file", parse::path);
    let from = page.optional("mail.from", mailbox);
    let ca = page.optional("mail.ca", parse::path).map(|path| beside.join(path));
    if !page.has("mail") && host.is_none() {
        return None;
    }
    if !page.has("mail.host") {
        page.fault("mail.host", "missing; expected the name of an SMTP server");
    }
    if !page.has("mail.from") {
        page.fault("mail.from", "missing; expected an address such as caseway@firm.example");
    }
    let login = match (user, password) {
        (Some(user), Some(password)) => Some((user, beside.join(password))),
        (Some(_), None) => {
            page.fault("mail.password_file", "missing; expected beside mail.user");
            None
        }
        (None, Some(_)) => {
            page.fault("mail.user", "missing; expected beside mail.password_file");
            None
        }
        (None, None) => None,
    };
    let encryption = encryption.unwrap_or_default();
    Some(mail::Options {
        host: host?,
        port: port.unwrap_or(encryption.port()),
        encryption,
        login,
        from: from?,
        ca,
    })
}

fn mailbox(value: &toml::Value) -> parse::Parsed<String> {
    let text = value.as_str().filter(|text| mail::is_mailbox(text));
    text.map(str::to_owned)
        .ok_or_else(|| "expected an address such as Caseway <caseway@firm.example>".to_owned())
}

/// As `check` prints them.
pub(super) fn shown(options: &Options) -> Vec<(&'static str, String)> {
    let path = |path: Option<&PathBuf>| {
        path.map_or_else(|| "the system's".to_owned(), |path| path.display().to_string())
    };
    let webhooks = &options.webhooks;
    let allow: Vec<String> = webhooks.guard.allow.iter().map(ToString::to_string).collect();
    let mut shown = vec![
        ("webhooks.allow", allow.join(", ")),
        ("webhooks.danger_loopback", webhooks.guard.danger_loopback.to_string()),
        ("webhooks.ca", path(webhooks.ca.as_ref())),
    ];
    let Some(mail) = &options.mail else {
        shown.push(("mail", "none is sent".to_owned()));
        return shown;
    };
    let word = ENCRYPTIONS.iter().find(|(_, one)| *one == mail.encryption);
    shown.extend([
        ("mail.host", mail.host.clone()),
        ("mail.port", mail.port.to_string()),
        ("mail.encryption", word.map_or("", |(word, _)| word).to_owned()),
        ("mail.from", mail.from.clone()),
        ("mail.ca", path(mail.ca.as_ref())),
    ]);
    if let Some((user, file)) = &mail.login {
        shown.push(("mail.user", user.clone()));
        shown.push(("mail.password_file", file.display().to_string()));
    }
    shown
}

/// Their part of a first file: all of it as comments.
pub(super) const FIRST: &str = "\
[webhooks]
# Networks of yours that webhooks may lead to, beside the open internet: a ticket system's.
#allow = []
# Let them lead to this machine too, by http as well: for tests.
#danger_loopback = false

# Without this part no mail is sent. Check it with: caseway-gateway mail test
#[mail]
#host = \"smtp.example.com\"
# tls, starttls, or danger_none.
#encryption = \"tls\"
#port = 465
#from = \"Caseway <caseway@example.com>\"
";

#[cfg(test)]
mod tests {
    use crate::config::Faults;

    use super::*;

    fn options(text: &str) -> Result<Options, Faults> {
        let mut page = Page::read("gateway.toml", text)?;
        let mut options = Options::new("/srv".into());
        read(&mut page, Path::new("/etc/caseway"), &mut options);
        page.finish(|| Some(options))
    }

    #[test]
    fn mail_has_safe_defaults_and_paths_beside_the_file() {
        let text = "[mail]\nhost = 'smtp.example'\nfrom = 'Caseway <c@firm.example>'\n\
                    user = 'caseway'\npassword_file = 'smtp.password'";
        let mail = options(text).unwrap().mail.unwrap();
        assert_eq!((mail.port, mail.encryption), (465, Encryption::Tls));
        let file = PathBuf::from("/etc/caseway/smtp.password");
        assert_eq!(mail.login, Some(("caseway".to_owned(), file)));
        assert_eq!(options("").unwrap().mail, None);
    }

    #[test]
    fn every_fault_of_what_leaves_is_told_at_once() {
        let faults = options(
            "[webhooks]\nallow = ['10.0.0.0/8', 'intranet']\ndanger_loopback = 'yes'\n\
             [mail]\nport = 0\nencryption = 'none'\nfrom = 'nobody'\nuser = 'u'\ncolour = 1",
        )
        .unwrap_err();
        insta::assert_snapshot!(faults);
        let faults = options("[mail]\nhost = 'smtp.example'\nfrom = \"a@b.example\\nBcc: c@d\"");
        insta::assert_snapshot!(faults.unwrap_err());
    }

    #[test]
    fn webhooks_lead_inside_only_where_the_owner_says_so() {
        let allow = options("[webhooks]\nallow = ['10.1.0.0/16']").unwrap().webhooks.guard.allow;
        assert_eq!(allow, ["10.1.0.0/16".parse::<IpNet>().unwrap()]);
        assert!(!options("").unwrap().webhooks.guard.danger_loopback);
    }
}
