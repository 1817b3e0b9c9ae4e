//! `demo`: a whole small world on this machine.

use crate::{
    args,
    out::{Failure, Out},
};

#[cfg(feature = "demo")]
pub(crate) async fn demo(demo: args::Demo, out: &Out) -> Result<(), Failure> {
    let args::Demo { dir, port } = demo;
    let options = caseway::demo::Options { dir, port, json: out.json };
    caseway::demo::run(options).await.map_err(Failure::other)
}

#[cfg(not(feature = "demo"))]
pub(crate) async fn demo(_demo: args::Demo, _out: &Out) -> Result<(), Failure> {
    std::future::ready(()).await;
    Err(Failure::usage(anyhow::anyhow!("this build has no demo; build with --features demo")))
}
