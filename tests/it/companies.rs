//! A provider's first day: it makes roles of its own, invites colleagues and a customer, and both
//! companies agree on a machine. All of it from the command line.

use std::path::PathBuf;

use crate::world::{Gateway, Technician};

const ADMIN: &str = "sue@brandt.example";

fn file(gateway: &Gateway, name: &str) -> PathBuf {
    gateway.dir.path().join(name)
}

/// Accepts the invitation in `NAME.invitation`, and logs in.
async fn accept(gateway: &Gateway, name: &str, email: &str, more: &[&str]) -> Technician {
    let invitation = file(gateway, &format!("{name}.invitation"));
    let (password, ca) = (file(gateway, &format!("{name}.password")), gateway.ca());
    let args = [
        ["invite", "accept", &gateway.url, "--ca", ca.to_str().unwrap()],
        ["--token-file", invitation.to_str().unwrap(), "--name", name, "--password-out"],
    ]
    .concat();
    let args = [&args[..], &[password.to_str().unwrap()], more].concat();
    let said = Technician::stranger().must(&args).await;
    assert_eq!(said, format!("{email}: may log in\n"));
    gateway.technician(email, &password).await
}

/// Runs a command whose last argument is the new file `name`, and gives that file's text.
async fn told_once(gateway: &Gateway, who: &Technician, args: &[&str], name: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = file(gateway, name);
    let done = who.run(&[args, &["--out", path.to_str().unwrap()]].concat()).await;
    assert!(done.status.success(), "{args:?}: {}", done.stderr);
    let secret = std::fs::read_to_string(&path).unwrap().trim().to_owned();
    assert!(secret.len() >= 32 && !(done.stdout + &done.stderr).contains(&secret));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    secret
}

/// A command that fails with `code`, and says each of `words`.
async fn refused(who: &Technician, args: &[&str], code: i32, words: &[&str]) {
    let done = who.run(args).await;
    assert_eq!(done.status.code(), Some(code), "{args:?}: {}", done.stderr);
    for word in words {
        assert!(done.stderr.contains(word), "{args:?}: {}", done.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_brings_its_customer_on_board_and_both_agree_on_a_machine() {
    let gateway = Gateway::start_provider(ADMIN).await;
    let sue = gateway.technician(ADMIN, &gateway.admin_password()).await;

    // The company says who it is and who reads its cases, and makes a role that no other has.
    sue.must(&["company", "rename", "Brandt"]).await;
    sue.must(&["company", "set", "--case-reader", "nobody"]).await;
    let company = sue.must(&["company", "show"]).await;
    for told in ["Brandt", "service_provider", "nobody"] {
        assert!(company.contains(told), "{company}");
    }
    assert!(sue.must(&["role", "permissions"]).await.contains("manage customers"));
    let give = "sign_in,read_machines,manage_customers,propose_machine,read_models";
    sue.must(&["role", "add", "Key account", "--give", give]).await;
    sue.must(&["role", "change", "key account", "--give", "manage_models"]).await;
    assert!(sue.must(&["role", "list"]).await.contains("manage_models"));
    let beyond = ["role", "add", "Boss", "--give", "use_asset"];
    refused(&sue, &beyond, 2, &["use_asset", "caseway role permissions"]).await;

    // A colleague is invited into that role; an invitation is for one.
    let send = ["invite", "send", "cora@brandt.example", "--role", "Key account"];
    told_once(&gateway, &sue, &send, "cora.invitation").await;
    let cora = accept(&gateway, "cora", "cora@brandt.example", &[]).await;
    assert!(sue.must(&["user", "list"]).await.contains("Key account"));
    assert!(sue.must(&["invite", "list"]).await.contains("accepted"));
    told_once(&gateway, &sue, &["invite", "send", "tom@brandt.example"], "tom.invitation").await;
    sue.must(&["invite", "withdraw", "tom@brandt.example"]).await;

    // The customer and its machine are described; nothing is shared before it is on board.
    cora.must(&["service-organisation", "add", "south", "--name", "South"]).await;
    cora.must(&["customer", "add", "aurora", "--service-organisation", "south"]).await;
    cora.must(&["customer", "edit", "aurora", "--name", "Aurora"]).await;
    cora.must(&["machine", "add", "m-7", "--customer", "aurora", "--serial", "SN-7"]).await;
    cora.must(&["model", "add", "p-700"]).await;
    assert_eq!(cora.must(&["machine", "model", "m-7", "p-700"]).await, "m-7: now a p-700\n");
    refused(&cora, &["link", "propose", "m-7"], 2, &["invite the customer first"]).await;
    refused(&cora, &["link", "propose", "m-8"], 4, &["not_found", "caseway machine list"]).await;
    let invite = ["customer", "invite", "aurora", "olga@aurora.example"];
    told_once(&gateway, &cora, &invite, "olga.invitation").await;
    let olga = accept(&gateway, "olga", "olga@aurora.example", &["--company", "Aurora GmbH"]).await;
    assert!(cora.must(&["customer", "list"]).await.contains("onboarded"));

    // Its first administrator describes the same machine, and both agree.
    assert!(olga.must(&["company", "show"]).await.contains("Aurora GmbH"));
    olga.must(&["user", "role", "add", "olga@aurora.example", "workshop_manager"]).await;
    olga.must(&["asset", "add", "press-7", "--name", "Press 7", "--serial", "SN-7"]).await;
    assert_eq!(cora.must(&["link", "propose", "m-7"]).await, "m-7: proposed to its operator\n");
    assert_eq!(olga.must(&["link", "decline", "m-7"]).await, "m-7: declined\n");
    cora.must(&["link", "propose", "m-7"]).await;
    assert!(olga.must(&["link", "list"]).await.contains("proposed"));
    assert_eq!(olga.must(&["link", "accept", "m-7"]).await, "m-7: linked with press-7\n");
    assert!(cora.must(&["machine", "list"]).await.contains("unconnected"));
    olga.must(&["link", "remove", "m-7"]).await;
    assert_eq!(olga.must(&["link", "list"]).await, "no proposals and no links\n");
    gateway.audit_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_get_scopes_of_every_kind_and_a_role_goes_when_nobody_holds_it() {
    let gateway = Gateway::start_provider(ADMIN).await;
    let sue = gateway.technician(ADMIN, &gateway.admin_password()).await;
    for role in ["customer_data_manager", "service_technician"] {
        sue.must(&["user", "role", "add", ADMIN, role]).await;
    }
    sue.must(&["service-organisation", "add", "south"]).await;
    sue.must(&["customer", "add", "aurora", "--service-organisation", "south"]).await;
    sue.must(&["role", "add", "Spare parts", "--id", "spares", "--give", "read_machines"]).await;

    let password = file(&gateway, "ted.password");
    let ted = "ted@brandt.example";
    let add = ["user", "add", ted, "--name", "Ted", "--role", "spare parts", "--customer"];
    let add = [&add[..], &["aurora", "--password-out", password.to_str().unwrap()]].concat();
    let said = sue.must(&add).await;
    assert_eq!(said, format!("{ted}: added, Spare parts (customer aurora)\n"));
    let give = ["user", "role", "add", ted, "service_technician", "--service-organisation"];
    let said = sue.must(&[&give[..], &["south"]].concat()).await;
    assert_eq!(said, format!("{ted}: now service_technician (service organisation south)\n"));
    let people = sue.must(&["user", "list"]).await;
    assert!(people.contains("Spare parts (customer aurora)"), "{people}");

    refused(&sue, &["role", "remove", "spares"], 1, &["take it from them first"]).await;
    sue.must(&["user", "role", "remove", ted, "spares"]).await;
    sue.must(&["role", "remove", "Spare parts"]).await;
    refused(&sue, &["role", "remove", "spares"], 4, &["not_found", "caseway role list"]).await;
    sue.must(&["user", "remove", ted]).await;
    assert!(!sue.must(&["user", "list"]).await.contains(ted));
    gateway.audit_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_told_once_into_a_file_and_is_listed_until_it_is_removed() {
    let gateway = Gateway::start_provider(ADMIN).await;
    let sue = gateway.technician(ADMIN, &gateway.admin_password()).await;
    refused(&sue, &["token", "add", "nightly"], 2, &["data_analyst"]).await;
    sue.must(&["user", "role", "add", ADMIN, "data_analyst"]).await;
    let add = ["token", "add", "nightly", "--days", "7"];
    told_once(&gateway, &sue, &add, "nightly.token").await;
    assert!(sue.must(&["token", "list"]).await.contains("(in 7 d)"));

    let password = file(&gateway, "dan.password");
    let dan = "dan@brandt.example";
    let person = ["user", "add", dan, "--name", "Dan", "--role", "data_analyst", "--password-out"];
    sue.must(&[&person[..], &[password.to_str().unwrap()]].concat()).await;
    let add = ["token", "add", "nightly", "--user", dan];
    told_once(&gateway, &sue, &add, "dan.token").await;
    let taken = file(&gateway, "dan.token");
    let again = [&add[..], &["--out", taken.to_str().unwrap()]].concat();
    refused(&sue, &again, 2, &["is there already"]).await;
    sue.must(&["token", "remove", "nightly", "--user", dan]).await;
    assert_eq!(sue.must(&["token", "list", "--user", dan]).await, "no tokens\n");
    assert!(sue.must(&["token", "list"]).await.contains("nightly"), "one's own is another");
    refused(&sue, &["token", "remove", "weekly"], 4, &["not_found", "caseway token list"]).await;
    gateway.audit_verifies().await;
}
