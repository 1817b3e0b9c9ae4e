//! `demo`: a whole small world on this machine.

use crate::{
    args,
    out::{Failure, Out},
};

pub(crate) async fn demo(demo: args::Demo, _out: &Out) -> Result<(), Failure> {
    let args::Demo { dir: _, port: _ } = demo;
    std::future::ready(()).await;
    Err(Failure::usage(anyhow::anyhow!("this build has no demo")))
}
