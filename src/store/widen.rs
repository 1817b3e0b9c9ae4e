//! What groups, case roles and visibility let one person do with one case: rows in, the pure rooms'
//! answer out.
//!
//! Only for a person of a tenant that is party to the case; for anybody else nothing is looked up.

use std::collections::BTreeSet;

use sqlx::SqliteConnection;

use super::{
    StoreError,
    groups::{Group, duties_of, group_in},
    organisations,
    rows::Cells,
};
use crate::{
    authz::Widened,
    cases::Case,
    groups::{Access, Duties, Tree},
    ids::{CaseId, GroupId, PersonId},
    tenancy::Person,
    visibility::{Sight, sight},
    workspaces::{CaseRight, CaseRights, Predefined},
};

/// How a person stands to a case by the groups of their company.
#[derive(Debug)]
pub(super) struct ByGroups {
    /// The group that the case is in.
    pub(super) group: Option<Group>,
    /// What the person has there, inherited or own.
    pub(super) access: Option<Access>,
    /// What the person has as a member of that very group.
    pub(super) own_access: Option<Access>,
    pub(super) duties: Duties,
}

impl ByGroups {
    /// What all of it together gives on the case.
    fn on_case(&self) -> Option<Access> {
        self.access.max(self.duties.access(self.group.is_some()))
    }
}

/// What widens `person`'s reading of, and commenting on, `case`.
pub(super) async fn widened(
    conn: &mut SqliteConnection,
    person: &Person,
    case: &Case,
) -> Result<Widened, StoreError> {
    if ![case.operator(), case.provider()].contains(&Some(&person.tenant)) {
        return Ok(Widened::default());
    }
    let access = by_groups(conn, person, &case.id).await?.on_case();
    let mut widened = Widened {
        read: access.is_some(),
        comment: access == Some(Access::Write),
        // Whoever works on a group's cases sees what was done to them (INF).
        history: access.is_some(),
    };
    if let Some(rights) = case_role(conn, &person.id, &case.id).await? {
        widened.read = true;
        widened.comment |= rights.has(CaseRight::Comment);
        widened.history |= rights.has(CaseRight::ReadHistory);
    }
    if let Some(standing) = organisations::standing(conn, person, case).await? {
        let seen = sight(&standing);
        widened.read |= seen >= Sight::View;
        widened.comment |= seen >= Sight::Comment;
    }
    Ok(widened)
}

/// How `person` stands to `case` by the groups of their company.
pub(super) async fn by_groups(
    conn: &mut SqliteConnection,
    person: &Person,
    case: &CaseId,
) -> Result<ByGroups, StoreError> {
    let rows = sqlx::query(
        "WITH RECURSIVE up (grp, depth) AS ( \
             SELECT p.grp, 0 FROM case_places p WHERE p.case_id = $1 AND p.tenant = $2 \
             UNION ALL \
             SELECT g.parent, up.depth + 1 FROM up JOIN resource_groups g ON g.id = up.grp \
             WHERE g.parent IS NOT NULL AND up.depth < 8) \
         SELECT g.*, up.depth, m.person, m.access \
         FROM up JOIN resource_groups g ON g.id = up.grp LEFT JOIN group_members m ON m.grp = g.id \
         ORDER BY up.depth",
    )
    .bind(case.as_str())
    .bind(person.tenant.as_str())
    .fetch_all(&mut *conn)
    .await?;
    let mut tree = Tree::default();
    let mut group = None;
    // From the top down, so that each group hangs under one that is there.
    for row in rows.iter().rev() {
        let cells = Cells::of("resource_groups", row);
        let id: GroupId = cells.id("id")?;
        let parent: Option<GroupId> = cells.id_or_none("parent")?;
        // What hangs in a circle inherits nothing.
        let _ = tree.hang(&id, parent.as_ref());
        if let Some(member) = cells.id_or_none::<PersonId>("person")? {
            tree.join(&id, &member, cells.code("access")?);
        }
        if cells.number("depth")? == 0 && group.is_none() {
            group = Some(group_in(&cells)?);
        }
    }
    let at = group.as_ref().map(|group| &group.id);
    Ok(ByGroups {
        access: at.and_then(|at| tree.access(at, &person.id)),
        own_access: at.and_then(|at| tree.own_access(at, &person.id)),
        duties: duties_of(conn, &person.id).await?,
        group,
    })
}

/// The rights of the person's role in the case, if they take part in it.
async fn case_role(
    conn: &mut SqliteConnection,
    person: &PersonId,
    case: &CaseId,
) -> Result<Option<CaseRights>, StoreError> {
    let row = sqlx::query(
        "SELECT p.role, r.rights FROM case_participants p LEFT JOIN case_roles r ON r.id = p.role \
         WHERE p.case_id = $1 AND p.person = $2",
    )
    .bind(case.as_str())
    .bind(person.as_str())
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let cells = Cells::of("case_participants", &row);
    if let Some(predefined) = Predefined::from_code(&cells.text("role")?) {
        return Ok(Some(predefined.rights()));
    }
    // A role that is gone is none.
    if cells.text_or_none("rights")?.is_none() {
        return Ok(None);
    }
    let rights: BTreeSet<CaseRight> = cells.json("rights")?;
    Ok(Some(rights.into()))
}
