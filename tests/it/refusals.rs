//! Why not: the failing check is named, with the documented exit code.

use tokio::net::TcpListener;

use crate::world::{Demo, Technician};

async fn why(who: &Technician, case: &str, tunnel: &str) -> String {
    who.run(&["why", case, tunnel]).await.stdout
}

/// The refusal of `open`: its exit code and what it said.
async fn refused(who: &Technician, case: &str, tunnel: &str) -> (Option<i32>, String) {
    let done = who.run(&["open", case, tunnel]).await;
    assert_eq!(done.stdout, "", "no LISTEN line");
    assert!(!done.stderr.contains("panicked") && !done.stderr.contains("backtrace"));
    (done.status.code(), done.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_failing_check_is_named() {
    let demo = Demo::start().await;
    let technician = demo.technician("service_technician").await;
    let support = demo.technician("first_level_support").await;
    let engineer = demo.technician("maintenance_engineer").await;

    let cases: [(&Technician, &str, &str); 4] = [
        (&technician, "CASE-1", "switch_off"),
        (&technician, "CASE-2", "not_found"),
        (&technician, "CASE-3", "case_type"),
        (&technician, "CASE-99", "not_found"),
    ];
    for (who, case, reason) in cases {
        let (code, said) = refused(who, case, "plc").await;
        assert_eq!(code, Some(4), "{case}: {said}");
        assert!(said.contains(reason), "{case}: {said}");
        assert!(why(who, case, "plc").await.contains(reason), "{case}");
    }

    engineer.switch("CASE-1", "on").await;
    let (code, said) = refused(&support, "CASE-1", "plc").await;
    assert!(code == Some(4) && said.contains("role"), "{said}");
    assert!(why(&support, "CASE-1", "plc").await.contains("role"));

    let (code, said) = refused(&technician, "CASE-1", "no-such-tunnel").await;
    assert!(code == Some(4) && said.contains("no-such-tunnel"), "{said}");

    engineer
        .must(&[
            "case",
            "create",
            "--type",
            "operator_internal",
            "--asset",
            "lathe-3",
            "--severity",
            "stopped",
            "--title",
            "x",
        ])
        .await;
    engineer.switch("CASE-4", "on").await;
    let (code, said) = refused(&engineer, "CASE-4", "plc").await;
    assert!(code == Some(5) && said.contains("edge_offline"), "{said}");
    assert!(why(&engineer, "CASE-4", "plc").await.contains("edge_offline"));

    engineer.must(&["case", "close", "CASE-1"]).await;
    let (code, said) = refused(&technician, "CASE-1", "plc").await;
    assert!(code == Some(4) && said.contains("case_closed"), "{said}");
    assert!(why(&technician, "CASE-1", "plc").await.contains("case_closed"));
    demo.audit_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_local_port_a_wrong_bind_and_a_missing_login_are_said_in_one_line() {
    let demo = Demo::start().await;
    let operator = demo.technician("machine_operator").await;
    operator.switch("CASE-1", "on").await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();

    let done = operator.run(&["open", "CASE-1", "plc", "-L", &port]).await;
    assert_eq!(done.status.code(), Some(1), "{}", done.stderr);
    assert!(done.stderr.contains(&port), "{}", done.stderr);

    let done = operator.run(&["open", "CASE-1", "plc", "-L", "0.0.0.0:0"]).await;
    assert_eq!(done.status.code(), Some(2), "{}", done.stderr);
    assert!(done.stderr.contains("--allow-remote-bind"), "{}", done.stderr);

    operator.must(&["logout"]).await;
    let done = operator.run(&["cases"]).await;
    assert_eq!(done.status.code(), Some(3), "{}", done.stderr);
    assert!(done.stderr.contains("caseway login"), "{}", done.stderr);
}
