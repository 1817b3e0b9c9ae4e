//! A provider's customers and their machines, and the links that both sides agree on.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Failure, Here,
    api::{ApiError, typed},
    cli::{CustomerCommand, EditCustomer, LinkCommand, MachineCommand, ServiceOrganisationCommand},
    show::OneLine,
};
use crate::ids::MachineId;

#[derive(Debug, Deserialize)]
struct LinkRow {
    machine: String,
    state: String,
    #[serde(default)]
    asset: Option<String>,
}

impl Here {
    pub(super) async fn customer(&self, command: CustomerCommand) -> Result<(), Failure> {
        let api = self.api()?;
        match command {
            CustomerCommand::List => {
                let columns = [
                    ("CUSTOMER", "/id"),
                    ("NAME", "/name"),
                    ("SERVICE ORGANISATION", "/organisation"),
                    ("STATUS", "/status"),
                    ("COMPANY", "/tenant"),
                ];
                self.rows(&api, "/customers", &columns, "no customers").await
            }
            CustomerCommand::Add { id, name, service_organisation } => {
                let name = name.unwrap_or_else(|| id.to_string());
                let body = json!({"id": id, "name": name, "organisation": service_organisation});
                self.made(&api, "/customers", &body).await?;
                self.terminal
                    .note(format_args!("next: `caseway machine add NAME --customer {id}`"));
                Ok(())
            }
            CustomerCommand::Edit { id, edit: EditCustomer { name, service_organisation } } => {
                let body = json!({"name": name, "organisation": service_organisation});
                let edited = api.patch(&format!("/customers/{id}"), &body).await;
                let item: Value = edited.map_err(|error| error.or_see("caseway customer list"))?;
                self.said(&item, format!("{id}: changed"));
                Ok(())
            }
            CustomerCommand::Invite { id, email, out } => {
                let path = format!("/customers/{id}/invitation");
                self.invited(&api, &path, &json!({"email": email}), out).await
            }
        }
    }

    pub(super) async fn service_organisation(
        &self,
        command: ServiceOrganisationCommand,
    ) -> Result<(), Failure> {
        let (api, path) = (self.api()?, "/service-organisations");
        match command {
            ServiceOrganisationCommand::List => {
                let columns = [("SERVICE ORGANISATION", "/id"), ("NAME", "/name")];
                self.rows(&api, path, &columns, "no service organisations").await
            }
            ServiceOrganisationCommand::Add { id, name } => {
                let name = name.unwrap_or_else(|| id.to_string());
                self.made(&api, path, &json!({"id": id, "name": name})).await
            }
        }
    }

    pub(super) async fn machine(&self, command: MachineCommand) -> Result<(), Failure> {
        match command {
            MachineCommand::List => {
                let columns = [
                    ("MACHINE", "/id"),
                    ("SERIAL", "/serial"),
                    ("CUSTOMER", "/customer"),
                    ("STATUS", "/status"),
                ];
                self.rows(&self.api()?, "/machines", &columns, "no machines").await
            }
            MachineCommand::Add { id, customer, serial } => {
                let serial = serial.unwrap_or_else(|| id.to_string());
                let body = json!({"id": id, "customer": customer, "serial": serial});
                let added = self.api()?.post("/machines", &body).await;
                let item: Value = added.map_err(|error| error.or_see("caseway customer list"))?;
                self.said(&item, id.to_string());
                self.terminal.note(format_args!(
                    "next, once its customer is on board: `caseway link propose {id}`"
                ));
                Ok(())
            }
            MachineCommand::Model { machine, model } => self.set_model(&machine, model).await,
        }
    }

    pub(super) async fn link(&self, command: LinkCommand) -> Result<(), Failure> {
        let api = self.api()?;
        match command {
            LinkCommand::List => {
                let columns = [
                    ("MACHINE", "/machine"),
                    ("SERIAL", "/serial"),
                    ("PROVIDER", "/provider"),
                    ("STATE", "/state"),
                    ("ASSET", "/asset"),
                ];
                self.rows(&api, "/links", &columns, "no proposals and no links").await
            }
            LinkCommand::Propose { machine } => {
                let proposed = api.post("/links", &json!({"machine": machine})).await;
                self.linked(proposed, "caseway machine list")
            }
            LinkCommand::Accept { machine } => {
                let answer = api.put(&path(&machine), &json!({"accept": true})).await;
                self.linked(answer, "caseway link list")
            }
            LinkCommand::Decline { machine } => {
                let answer = api.put(&path(&machine), &json!({"accept": false})).await;
                self.linked(answer, "caseway link list")
            }
            LinkCommand::Remove { machine } => {
                let removed = api.delete(&path(&machine)).await;
                removed.map_err(|error| error.or_see("caseway link list"))?;
                self.terminal.value(&json!({"machine": machine, "removed": true}));
                self.terminal.data(format_args!("{machine}: linked no more"));
                Ok(())
            }
        }
    }

    fn linked(&self, answer: Result<Value, ApiError>, list: &str) -> Result<(), Failure> {
        let item = answer.map_err(|error| error.or_see(list))?;
        self.terminal.value(&item);
        self.terminal.data(OneLine(standing(&typed(item)?)));
        Ok(())
    }
}

fn path(machine: &MachineId) -> String {
    format!("/links/{machine}")
}

/// How a machine and its operator's asset stand to each other now.
fn standing(LinkRow { machine, state, asset }: &LinkRow) -> String {
    match (state.as_str(), asset) {
        ("linked", Some(asset)) => format!("{machine}: linked with {asset}"),
        ("proposed", _) => format!("{machine}: proposed to its operator"),
        ("new", _) => format!("{machine}: declined"),
        (state, _) => format!("{machine}: {state}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_says_how_it_stands() {
        let said = |state: &str, asset: Value| {
            standing(&typed(json!({"machine": "m-7", "state": state, "asset": asset})).unwrap())
        };
        assert_eq!(said("proposed", Value::Null), "m-7: proposed to its operator");
        assert_eq!(said("linked", json!("press-7")), "m-7: linked with press-7");
        assert_eq!(said("new", Value::Null), "m-7: declined");
    }
}
