//! The local switch: a file whose presence means "remote access allowed here".
//!
//! Whoever stands at the machine can put it there and take it away, by a key switch that drives a
//! script or by hand. It is looked at before every offer and every [`LOOK_EVERY`] beside; where it
//! cannot be looked at, it is off.

use std::{path::PathBuf, time::Duration};

use tokio::sync::watch;

use crate::tasks::{Scope, Stop};

/// How often the file is looked at; with the cut itself, "off" holds well within a second.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(300);

/// The switch of this device.
#[derive(Clone, Debug)]
pub(super) struct LocalSwitch {
    path: Option<PathBuf>,
    seen: watch::Sender<bool>,
}

impl LocalSwitch {
    /// The switch at `path`, already looked at; without a path it is always on.
    pub(super) async fn new(path: Option<PathBuf>) -> Self {
        let switch = Self { path, seen: watch::Sender::new(false) };
        switch.allows().await;
        switch
    }

    /// Looks, and says whether remote access is allowed here now.
    pub(super) async fn allows(&self) -> bool {
        let allows = match &self.path {
            None => true,
            Some(path) => tokio::fs::metadata(path).await.is_ok_and(|about| about.is_file()),
        };
        self.seen.send_if_modified(|seen| std::mem::replace(seen, allows) != allows);
        allows
    }

    /// What was seen last; changes are told.
    #[must_use]
    pub(super) fn watch(&self) -> watch::Receiver<bool> {
        self.seen.subscribe()
    }

    /// Whether there is a file to look at.
    #[must_use]
    pub(super) fn is_used(&self) -> bool {
        self.path.is_some()
    }

    /// Looks again and again, in a task of `scope`, until that is asked to stop.
    pub(super) fn look_on(&self, scope: &Scope) {
        if self.is_used() {
            scope.spawn("local switch", self.clone().look(scope.stop()));
        }
    }

    async fn look(self, stop: Stop) {
        loop {
            self.allows().await;
            // Ready by the timer, the usual case, or when asked to stop.
            if tokio::time::timeout(LOOK_EVERY, stop.asked()).await.is_ok() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_switch_follows_its_file_by_itself() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("allow");
        let switch = LocalSwitch::new(Some(path.clone())).await;
        let scope = Scope::new("test");
        switch.look_on(&scope);
        let mut seen = switch.watch();
        assert!(!*seen.borrow());
        let soon = Duration::from_secs(1);
        for allows in [true, false] {
            if allows {
                std::fs::write(&path, "").unwrap();
            } else {
                std::fs::remove_file(&path).unwrap();
            }
            tokio::time::timeout(soon, seen.wait_for(|now| *now == allows)).await.unwrap().unwrap();
        }
        scope.close(soon).await;
    }

    #[tokio::test]
    async fn without_a_file_to_look_at_remote_access_is_allowed() {
        assert!(LocalSwitch::new(None).await.allows().await);
    }

    #[tokio::test]
    async fn a_directory_is_no_permission() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!LocalSwitch::new(Some(dir.path().to_owned())).await.allows().await);
    }
}
