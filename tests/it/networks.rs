//! The networks that devices really stand in, made of network namespaces:
//!
//! ```text
//!   gateway and technician            device
//!   [ns cw-g-N]  10.77.0.1 ---------- 10.77.0.2  [ns cw-d-N]     the way out, with its rules
//!                10.78.0.1 ---------- 10.78.0.2                  the machine's own network
//! ```

use std::{
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use crate::world::{Demo, Edge, Open, Technician, cannot_run, until, within};

static MADE: AtomicU32 = AtomicU32::new(0);

struct Nets {
    gateway: String,
    device: String,
}

impl Nets {
    /// `None`, said loudly, where namespaces cannot be made.
    fn new(what: &str) -> Option<Self> {
        for program in ["ip", "nft"] {
            if Command::new(program).arg("-V").output().is_err() {
                cannot_run(what, &format!("{program} is not installed"));
                return None;
            }
        }
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = |side: &str| format!("cw-{side}-{}-{number}", std::process::id());
        let nets = Self { gateway: name("g"), device: name("d") };
        if !run("ip", &["netns", "add", &nets.gateway]) {
            cannot_run(what, "network namespaces need root");
            return None;
        }
        assert!(run("ip", &["netns", "add", &nets.device]));
        nets.cable("out", "10.77.0");
        nets.cable("machine", "10.78.0");
        for space in [&nets.gateway, &nets.device] {
            assert!(run("ip", &["-n", space, "link", "set", "lo", "up"]));
        }
        Some(nets)
    }

    fn cable(&self, name: &str, net: &str) {
        let (g, d) = (self.gateway.as_str(), self.device.as_str());
        let pair = ["-n", g, "link", "add", name, "type", "veth", "peer", "name", name, "netns", d];
        assert!(run("ip", &pair));
        for (space, last) in [(g, 1), (d, 2)] {
            let address = format!("{net}.{last}/24");
            assert!(run("ip", &["-n", space, "address", "add", &address, "dev", name]));
            assert!(run("ip", &["-n", space, "link", "set", name, "up"]));
        }
    }

    fn in_gateway(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.gateway]
    }

    fn in_device(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.device]
    }

    /// Drops what matches `rules` on its way out of the device.
    fn drop_from_device(&self, rules: &[&str]) {
        let mut text =
            String::from("table inet t {\nchain o {\ntype filter hook output priority 0\n");
        for rule in rules {
            text += &format!("oifname \"out\" {rule}\n");
        }
        text += "}\n}";
        let [program, first @ ..] = self.in_device();
        let output = Command::new(program).args(first).args(["nft", &text]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    async fn scene(&self, agent: &str) -> Scene {
        self.scene_after(agent, || {}).await
    }

    /// `rules` are laid after the device is enrolled and before its agent runs.
    async fn scene_after(&self, agent: &str, rules: impl FnOnce()) -> Scene {
        let dir = tempfile::tempdir().unwrap();
        let more = ["--port", "8443", "--listen", "10.77.0.1", "--machine", "10.78.0.1"];
        let demo = Demo::start_in(dir, &more, &self.in_gateway()).await;
        let manager = self.technician(&demo, "workshop_manager").await;
        let technician = self.technician(&demo, "service_technician").await;
        let dir = Edge::enrol(&demo, &manager, "press-7", agent, &self.in_device()).await;
        rules();
        let edge = Edge::run(dir, &self.in_device());
        manager.switch("CASE-1", "on").await;
        Scene { technician, edge, _demo: demo }
    }

    async fn technician(&self, demo: &Demo, role: &str) -> Technician {
        let prefix = self.in_gateway().map(str::to_owned).to_vec();
        demo.technician_behind(role, prefix).await
    }
}

impl Drop for Nets {
    fn drop(&mut self) {
        run("ip", &["netns", "del", &self.gateway]);
        run("ip", &["netns", "del", &self.device]);
    }
}

fn run(program: &str, args: &[&str]) -> bool {
    let status = Command::new(program).args(args).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

struct Scene {
    technician: Technician,
    edge: Edge,
    _demo: Demo,
}

impl Scene {
    /// Opens the cell and fetches some bytes through it; gives the carrier that the agent uses.
    async fn works(&self) -> String {
        let carrier = self.carrier().await;
        let open = self.technician.open(&["CASE-1", "cell"], 4).await;
        let expected = self.ask(&open, "hash 3000000").await;
        let got = self.shell(&open, "printf 'send 3000000\\n' >&3; sha256sum <&3").await;
        assert!(got.starts_with(expected.trim()), "{got} is not {expected}");
        carrier
    }

    async fn carrier(&self) -> String {
        until("the agent's carrier", || async {
            let link = self.edge.status().await["link"].clone();
            (link["state"] == "connected").then(|| link["carrier"].as_str().unwrap().to_owned())
        })
        .await
    }

    async fn ask(&self, open: &Open, order: &str) -> String {
        self.shell(open, &format!("printf '{order}\\n' >&3; cat <&3")).await
    }

    /// Runs `script` with descriptor 3 connected to the source, in the technician's namespace.
    async fn shell(&self, open: &Open, script: &str) -> String {
        let at = open.to("source");
        let script = format!("exec 3<>/dev/tcp/{}/{}; {script}", at.ip(), at.port());
        let (program, rest) = self.technician.prefix.split_first().unwrap();
        let run = tokio::process::Command::new(program)
            .args(rest)
            .args(["bash", "-c", &script])
            .kill_on_drop(true)
            .output();
        let output = within(&script, run).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_works_with_udp_dropped() {
    let Some(nets) = Nets::new("UDP dropped") else { return };
    let rules = || nets.drop_from_device(&["meta l4proto udp drop"]);
    let scene = nets.scene_after("carrier = \"quic\"\n", rules).await;
    assert_eq!(scene.works().await, "tcp");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_works_with_tcp_to_the_gateway_dropped() {
    let Some(nets) = Nets::new("TCP dropped") else { return };
    let rules = || nets.drop_from_device(&["tcp dport 8443 drop"]);
    let scene = nets.scene_after("carrier = \"auto\"\n", rules).await;
    assert_eq!(scene.works().await, "quic");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_works_through_a_connect_proxy_with_everything_else_dropped() {
    let Some(nets) = Nets::new("CONNECT proxy") else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tinyproxy.conf");
    std::fs::write(&file, "Port 3128\nListen 10.77.0.1\nConnectPort 8443\nMaxClients 100\n")
        .unwrap();
    let [program, first @ ..] = nets.in_gateway();
    let proxy = tokio::process::Command::new(program)
        .args(first)
        .args(["tinyproxy", "-d", "-c"])
        .arg(&file)
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let Ok(_proxy) = proxy else {
        return cannot_run("CONNECT proxy", "tinyproxy is not installed");
    };
    let rules = || nets.drop_from_device(&["tcp dport 3128 accept", "drop"]);
    let scene = nets.scene_after("proxy = \"http://10.77.0.1:3128\"\n", rules).await;
    assert_eq!(scene.works().await, "tcp");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_goes_on_when_a_device_on_quic_changes_its_address() {
    let Some(nets) = Nets::new("address change") else { return };
    let scene = nets.scene("carrier = \"quic\"\n").await;
    assert_eq!(scene.carrier().await, "quic");
    let open = scene.technician.open(&["CASE-1", "cell"], 4).await;
    let bytes: u64 = 400_000_000;
    let expected = scene.ask(&open, &format!("hash {bytes}")).await;
    let changing = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let device = nets.device.as_str();
        let new = ["-n", device, "address", "add", "10.77.0.99/24", "dev", "out"];
        assert!(run("ip", &new));
        let old = ["-n", device, "address", "del", "10.77.0.2/24", "dev", "out"];
        assert!(run("ip", &old));
        // The second address of a subnet goes with the first unless it is promoted.
        run("ip", &new);
    };
    let script = format!("printf 'send {bytes}\\n' >&3; sha256sum <&3");
    let (got, ()) = tokio::join!(scene.shell(&open, &script), changing);
    assert!(got.starts_with(expected.trim()), "{got} is not {expected}");
    let addresses = Command::new("ip").args(["-n", &nets.device, "address"]).output().unwrap();
    let addresses = String::from_utf8_lossy(&addresses.stdout).into_owned();
    assert!(addresses.contains("10.77.0.99") && !addresses.contains("10.77.0.2/"), "{addresses}");
}
