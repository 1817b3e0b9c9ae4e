//! Cases as they are read: one, and lists of them.

use sqlx::{QueryBuilder, Sqlite};

use super::{
    external,
    rows::{CaseSheet, case_of, sheet_in, sheets},
    visible::Visible,
};
use crate::{
    authz::Action,
    cases::{Case, CaseType, Severity, State},
    clock::{Now, Wall},
    ids::{AssetId, CaseId, PersonId, TenantId},
    store::{
        Listed, Page, Store, StoreError, Subject,
        rows::{Cells, code},
    },
};

/// Which cases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaseFilter {
    pub case_type: Option<CaseType>,
    pub state: Option<State>,
    /// Whether it is not closed.
    pub open: Option<bool>,
    pub asset: Option<AssetId>,
    pub assignee: Option<PersonId>,
    pub severity: Option<Severity>,
    /// Whether remote access is on, and its time not up.
    pub switch_on: Option<bool>,
    /// By the number that the reader's company has for it.
    pub external_id: Option<String>,
    /// Text in the title or the id, case folded.
    pub text: Option<String>,
}

impl Store {
    /// What decisions read of a case, if `who` may read it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn case(
        &self,
        who: &PersonId,
        case: &CaseId,
        now: Now,
    ) -> Result<Option<Case>, StoreError> {
        let mut reading = self.reading().await?;
        let subject = Subject::case(who.clone(), case.clone());
        let action = Action::ReadCase(case.clone());
        if self.allows(&mut reading, &subject, action, now.wall).await? {
            case_of(&mut reading, case).await
        } else {
            Ok(None)
        }
    }

    /// All of a case as the people of `tenant` read it, whoever asks: for those who were shown, or
    /// have just changed, it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn case_sheet(
        &self,
        tenant: &TenantId,
        case: &CaseId,
    ) -> Result<Option<CaseSheet>, StoreError> {
        let mut sql = sheets(tenant);
        sql.push("WHERE c.id = ").push_bind(case.to_string());
        let row = sql.build().fetch_optional(self.readers()?).await?;
        row.map(|row| sheet_in(&Cells::of("cases", &row))).transpose()
    }

    /// The cases that `who` may read, newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn cases(
        &self,
        who: &PersonId,
        filter: &CaseFilter,
        page: &Page,
        now: Now,
    ) -> Result<Listed<CaseSheet>, StoreError> {
        let mut reading = self.reading().await?;
        let Some(visible) = Visible::to(self, &mut reading, who).await? else {
            return Ok(Listed { items: Vec::new(), next: None });
        };
        let before = match &page.after {
            Some(after) => after.parse().unwrap_or(0),
            None => i64::MAX,
        };
        // One more than the page holds tells whether there is another page.
        let rows = i64::try_from(page.size()).unwrap_or(1).saturating_add(1);
        let mut sql = sheets(visible.tenant());
        sql.push("JOIN (");
        let narrow = |sql: &mut QueryBuilder<Sqlite>| {
            sql.push("c.number < ").push_bind(before).push(" AND ");
            filter.push(sql, visible.tenant(), now.wall);
        };
        visible.push(&mut sql, narrow, |sql| {
            sql.push(" ORDER BY c.number DESC LIMIT ").push_bind(rows);
        });
        sql.push(") v ON v.number = c.number ORDER BY c.number DESC LIMIT ").push_bind(rows);
        let rows = sql.build().fetch_all(&mut *reading).await?;
        let more = rows.len() > page.size();
        let mut items = Vec::with_capacity(rows.len());
        let mut last = None;
        for row in rows.iter().take(page.size()) {
            let cells = Cells::of("cases", row);
            last = Some(cells.number("number")?);
            items.push(sheet_in(&cells)?);
        }
        Ok(Listed { items, next: last.filter(|_| more).map(|number| number.to_string()) })
    }
}

impl CaseFilter {
    /// `own` is the reader's company. Each condition ends with ` AND `.
    fn push(&self, sql: &mut QueryBuilder<Sqlite>, own: &TenantId, now: Wall) {
        if let Some(one) = self.case_type {
            sql.push("c.type = ").push_bind(code(&one)).push(" AND ");
        }
        if let Some(one) = self.state {
            sql.push("c.state = ").push_bind(code(&one)).push(" AND ");
        }
        match self.open {
            Some(true) => sql.push("c.state <> 'closed' AND "),
            Some(false) => sql.push("c.state = 'closed' AND "),
            None => sql,
        };
        if let Some(one) = &self.asset {
            sql.push("c.asset = ").push_bind(one.to_string()).push(" AND ");
        }
        if let Some(one) = &self.assignee {
            sql.push("c.assignee = ").push_bind(one.to_string()).push(" AND ");
        }
        if let Some(one) = self.severity {
            sql.push("c.severity = ").push_bind(code(&one)).push(" AND ");
        }
        if let Some(on) = self.switch_on {
            sql.push(if on { "" } else { "NOT " });
            sql.push("(COALESCE(c.switch_on, 0) = 1 AND COALESCE(c.switch_until, ");
            sql.push_bind(i64::MAX).push(") > ").push_bind(now.0).push(") AND ");
        }
        if let Some(one) = &self.external_id {
            external::push_known_as(sql, own, one);
            sql.push(" AND ");
        }
        if let Some(text) = &self.text {
            let pattern = contains(&text.to_lowercase());
            sql.push("(LOWER(c.title) LIKE ").push_bind(pattern.clone());
            sql.push(" ESCAPE '!' OR LOWER(c.id) LIKE ").push_bind(pattern);
            sql.push(" ESCAPE '!') AND ");
        }
    }
}

/// A pattern for text that is anywhere, whatever is in it.
fn contains(text: &str) -> String {
    format!("%{}%", text.replace('!', "!!").replace('%', "!%").replace('_', "!_"))
}
