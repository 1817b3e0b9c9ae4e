//! Workspaces and organisations.

use serde_json::json;

use super::{
    Failure, Here,
    cli::{OnOff, OrganisationCommand, WorkspaceCommand, code},
    groups::resolve,
};

impl Here {
    pub(super) async fn workspace(&self, command: WorkspaceCommand) -> Result<(), Failure> {
        let api = self.api()?;
        let at = async |name: &str| -> Result<String, Failure> {
            Ok(format!("/workspaces/{}", resolve(&api, "/workspaces", name).await?))
        };
        match command {
            WorkspaceCommand::List => {
                let columns = [("WORKSPACE", "/name"), ("ID", "/id")];
                self.rows(&api, "/workspaces", &columns, "no workspaces of yours").await
            }
            WorkspaceCommand::Show { workspace } => self.page(&api, &at(&workspace).await?).await,
            WorkspaceCommand::Create { name, case } => {
                self.made(&api, "/workspaces", &json!({"name": name, "case": case})).await
            }
            WorkspaceCommand::Join { workspace, person, user_type, revoked } => {
                let path = format!("{}/members/{person}", at(&workspace).await?);
                let (user_type, revoked) =
                    (code(&user_type), revoked.iter().map(code).collect::<Vec<_>>());
                let said = format!("{person}: {user_type} of {workspace}");
                let body = json!({"user_type": user_type, "revoked": revoked});
                self.put(&api, &path, &body, said).await
            }
            WorkspaceCommand::Leave { workspace, person } => {
                let path = format!("{}/members/{person}", at(&workspace).await?);
                self.gone(&api, &path, format!("{person}: no member of {workspace}")).await
            }
            WorkspaceCommand::Cases { workspace } => {
                let columns =
                    [("CASE", "/id"), ("TYPE", "/type"), ("STATE", "/state"), ("TITLE", "/title")];
                let path = format!("{}/cases", at(&workspace).await?);
                self.rows(&api, &path, &columns, "no cases that you may read").await
            }
            WorkspaceCommand::Bring { workspace, case } => {
                let path = format!("{}/cases/{case}", at(&workspace).await?);
                self.put(&api, &path, &json!({}), format!("{case}: in {workspace}")).await
            }
            WorkspaceCommand::Take { workspace, case } => {
                let path = format!("{}/cases/{case}", at(&workspace).await?);
                self.gone(&api, &path, format!("{case}: no longer in {workspace}")).await
            }
            WorkspaceCommand::Role { workspace, name, rights, role } => {
                let path = format!("{}/case-roles", at(&workspace).await?);
                let rights: Vec<String> = rights.iter().map(code).collect();
                let body = json!({"name": name, "rights": rights});
                match role {
                    None => self.made(&api, &path, &body).await,
                    Some(role) => {
                        let said = format!("{name}: changed for everyone who holds it");
                        self.put(&api, &format!("{path}/{role}"), &body, said).await
                    }
                }
            }
        }
    }

    pub(super) async fn organisation(&self, command: OrganisationCommand) -> Result<(), Failure> {
        let api = self.api()?;
        let change = async |name: String, body: serde_json::Value| -> Result<(), Failure> {
            let id = resolve(&api, "/organisations", &name).await?;
            let item = api.patch(&format!("/organisations/{id}"), &body).await?;
            self.said(&item, format!("{name}: changed"));
            Ok(())
        };
        match command {
            OrganisationCommand::List => {
                let columns = [
                    ("ORGANISATION", "/name"),
                    ("DOMAINS", "/domains"),
                    ("SEES", "/setting"),
                    ("APPROVERS", "/approvers"),
                    ("ID", "/id"),
                ];
                self.rows(&api, "/organisations", &columns, "no organisations").await
            }
            OrganisationCommand::Show { organisation } => {
                let id = resolve(&api, "/organisations", &organisation).await?;
                self.page(&api, &format!("/organisations/{id}")).await
            }
            OrganisationCommand::Add { name, domains, approvers, partner, managed } => {
                let body = json!({
                    "name": name, "domains": domains, "approvers": approvers,
                    "partner": partner, "managed": managed,
                });
                self.made(&api, "/organisations", &body).await
            }
            OrganisationCommand::Domains { organisation, domains } => {
                change(organisation, json!({"domains": domains})).await
            }
            OrganisationCommand::Approvers { organisation, approvers } => {
                change(organisation, json!({"approvers": approvers})).await
            }
            OrganisationCommand::Sees { organisation, setting } => {
                change(organisation, json!({"setting": code(&setting)})).await
            }
            OrganisationCommand::Agree { organisation, to } => {
                change(organisation, json!({"agreed": to == OnOff::On})).await
            }
            OrganisationCommand::Wide { organisation, to } => {
                change(organisation, json!({"wide": to == OnOff::On})).await
            }
            OrganisationCommand::Member { organisation, person, sees } => {
                let id = resolve(&api, "/organisations", &organisation).await?;
                let path = format!("/organisations/{id}/members/{person}");
                let sees = code(&sees);
                let said = format!("{person}: sees {sees}");
                self.put(&api, &path, &json!({"sees": sees}), said).await
            }
            OrganisationCommand::Raise { case, organisation } => {
                let id = resolve(&api, "/organisations", &organisation).await?;
                let path = format!("/cases/{case}/organisation");
                let said = format!("{case}: raised for {organisation}");
                self.put(&api, &path, &json!({"organisation": id}), said).await
            }
        }
    }
}
