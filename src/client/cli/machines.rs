//! Assets, facilities, machine models and tunnel configs on the command line.

use clap::{Args, Subcommand};

use super::{AddAsset, OnOff, SwitchChange};
use crate::{
    client::grammar::NewTarget,
    ids::{AssetId, DeviceId, FacilityId, MachineId, ModelId, Name},
    machines::{Mode, TunnelKind},
};

#[derive(Debug, Subcommand)]
pub enum AssetCommand {
    /// List assets
    List,
    /// Everything about one asset
    Show { asset: AssetId },
    /// Add an asset: a machine that your company runs
    Add(AddAsset),
    /// Change its name, serial number, facility or settings
    Edit {
        asset: AssetId,
        #[command(flatten)]
        edit: EditAsset,
    },
    /// Take it out of service: nothing is started on it and its sessions end
    Deactivate { asset: AssetId },
    /// Put it into service again; its own remote access stays off
    Activate { asset: AssetId },
    /// Pair an edge device with it
    Pair { asset: AssetId, device: DeviceId },
    /// Give its edge device back to its owner: sessions end, then the device's key is void
    Decommission { asset: AssetId },
    /// What was set up or changed on it, by whom, your provider's people included
    Changes { asset: AssetId },
    /// Turn the asset's own remote access on or off, apart from any case
    Switch {
        /// The asset: `caseway assets` lists them
        asset: AssetId,
        #[command(flatten)]
        change: SwitchChange,
    },
}

/// What is to be different about an asset.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct EditAsset {
    #[arg(long)]
    pub name: Option<String>,
    #[arg(long)]
    pub serial: Option<String>,
    /// Move it there; who does not cover that place sees it no more
    #[arg(long, conflicts_with = "no_facility")]
    pub facility: Option<FacilityId>,
    /// Take it out of its facility
    #[arg(long)]
    pub no_facility: bool,
    /// Whether a target that a provider writes waits for `caseway tunnel confirm`
    #[arg(long, value_name = "ON|OFF")]
    pub confirm_targets: Option<OnOff>,
}

#[derive(Debug, Subcommand)]
pub enum FacilityCommand {
    /// List facilities
    List,
    /// Add a facility
    Add {
        id: FacilityId,
        /// What people call it; default: ID
        #[arg(long)]
        name: Option<String>,
    },
    /// Give it another name
    Rename { id: FacilityId, name: String },
    /// Remove one that is empty
    Remove { id: FacilityId },
}

#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// List machine models
    List,
    /// Add a machine model
    Add {
        id: ModelId,
        #[command(flatten)]
        text: ModelWords,
    },
    /// Change what is said of it
    Edit {
        id: ModelId,
        #[command(flatten)]
        text: ModelWords,
    },
    /// Remove one that no machine is of
    Remove { id: ModelId },
    /// As `caseway machine model`
    #[command(hide = true)]
    Assign {
        machine: MachineId,
        /// Of none where this is missing
        model: Option<ModelId>,
    },
}

/// What is said of a machine model.
#[derive(Debug, Args)]
pub struct ModelWords {
    /// What people call it
    #[arg(long)]
    pub name: Option<String>,
    #[arg(long)]
    pub brand: Option<String>,
    #[arg(long)]
    pub technology: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum TemplateCommand {
    /// List a machine model's tunnel templates
    List { model: ModelId },
    /// Add a template: linked machines of the model get the config
    Add {
        model: ModelId,
        #[command(flatten)]
        config: NewConfig,
    },
    /// Change it; machines change with it, but for what they override
    Edit {
        model: ModelId,
        name: Name,
        #[command(flatten)]
        edit: EditConfig,
    },
    /// Remove it, and the configs that follow it but are not in use
    Remove { model: ModelId, name: Name },
}

#[derive(Debug, Subcommand)]
pub enum TunnelCommand {
    /// List an asset's tunnels
    List { asset: AssetId },
    /// Add a tunnel to an asset
    Add {
        asset: AssetId,
        #[command(flatten)]
        config: NewConfig,
    },
    /// Change a tunnel; what it inherits from a template is overridden in these fields
    Edit {
        asset: AssetId,
        name: Name,
        #[command(flatten)]
        edit: EditConfig,
    },
    /// Remove a tunnel: its sessions end
    Remove { asset: AssetId, name: Name },
    /// Agree, for the operator, to where a tunnel leads now
    Confirm { asset: AssetId, name: Name },
}

/// A new tunnel config.
#[derive(Debug, Args)]
pub struct NewConfig {
    pub name: Name,
    /// One TCP service, several targets at once, or a screen
    #[arg(long)]
    pub kind: TunnelKind,
    /// Whether only the two ends can read what flows; default: any
    #[arg(long)]
    pub mode: Option<Mode>,
    /// Where it leads, as seen from the edge device: tcp:// or udp://, HOST a name, an address or
    /// a block such as 10.0.0.0/24; may be repeated (kind `data_link`)
    #[arg(long = "target", value_name = "[NAME=]tcp://HOST:PORT[-LAST]", required = true)]
    pub targets: Vec<NewTarget>,
}

/// What is to be different about a tunnel config; the rest stays.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct EditConfig {
    /// Its new name
    #[arg(long, value_name = "NAME")]
    pub rename: Option<Name>,
    #[arg(long)]
    pub kind: Option<TunnelKind>,
    #[arg(long)]
    pub mode: Option<Mode>,
    /// Where it leads, in place of all that it has
    #[arg(long = "target", value_name = "[NAME=]tcp://HOST:PORT[-LAST]")]
    pub targets: Vec<NewTarget>,
    /// Whether it can be opened
    #[arg(long, value_name = "ON|OFF")]
    pub enabled: Option<OnOff>,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::client::Cli;

    fn refused(args: &str) -> String {
        Cli::try_parse_from(args.split(' ')).unwrap_err().to_string()
    }

    #[test]
    fn a_tunnel_leads_somewhere() {
        let said = refused("caseway tunnel add press-7 web --kind ssc");
        assert!(said.contains("tcp://HOST:PORT"), "{said}");
    }

    #[test]
    fn an_edit_says_what_is_to_change() {
        for args in ["caseway asset edit press-7", "caseway tunnel edit press-7 web"] {
            let said = refused(args);
            assert!(said.contains("required"), "{said}");
        }
        let said = refused("caseway asset edit press-7 --facility hall-1 --no-facility");
        assert!(said.contains("--no-facility"), "{said}");
        let line = "caseway template edit p-700 web --mode sealed --enabled off";
        Cli::try_parse_from(line.split(' ')).unwrap();
    }
}
