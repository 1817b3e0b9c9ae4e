//! The policies, parsed and validated once, and how they are asked.

use std::sync::LazyLock;

use cedar_policy::{
    ActionConstraint, Authorizer, Decision, Effect, Entities, EntityUid, PolicyId, PolicySet,
    Request, Schema, ValidationMode, Validator,
};

use super::Reason;

/// The policies as they are shipped.
pub(super) const POLICIES: &str = include_str!("policies.cedar");
/// The schema that they are held to.
pub(super) const SCHEMA: &str = include_str!("schema.cedarschema");

/// Policies that were accepted. `None` for good if they were not: then everything is denied.
static BOOK: LazyLock<Option<Book>> = LazyLock::new(|| match Book::read(POLICIES, SCHEMA) {
    Ok(book) => Some(book),
    Err(fault) => {
        tracing::error!(%fault, "policies refused: everything is denied");
        None
    }
});

/// Why policies are not accepted.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidPolicies {
    #[error("schema: {0}")]
    Schema(String),
    #[error("policies: {0}")]
    Syntax(String),
    #[error("the policies do not fit the schema: {0}")]
    Mismatch(String),
    #[error("policy {0} has no @id, or one that is no reason code")]
    Unnamed(PolicyId),
}

/// A validated set of policies.
#[derive(Debug)]
pub(super) struct Book {
    policies: PolicySet,
    schema: Schema,
    /// The forbids, in the order of the file.
    checks: Vec<Objection>,
}

/// One forbid: what it is called and for which actions it stands.
#[derive(Debug)]
pub(super) struct Objection {
    policy: PolicyId,
    /// As written: `role`, or `role/files`.
    pub(super) id: String,
    pub(super) reason: Reason,
    /// `None`: for all.
    actions: Option<Vec<String>>,
}

/// What the policies say to one request.
#[derive(Debug)]
pub(super) enum Answer<'a> {
    Allow,
    /// The forbids that object, at least one; the first is the reason.
    Deny(Vec<&'a Objection>),
    /// Evaluating failed, or nothing permits and nothing objects.
    Fault,
}

impl Book {
    /// The policies that the program was built with.
    pub(super) fn shipped() -> Option<&'static Self> {
        BOOK.as_ref()
    }

    /// Parses and validates.
    pub(super) fn read(policies: &str, schema: &str) -> Result<Self, InvalidPolicies> {
        let (schema, _) = Schema::from_cedarschema_str(schema)
            .map_err(|fault| InvalidPolicies::Schema(fault.to_string()))?;
        let policies: PolicySet =
            policies.parse().map_err(|fault| InvalidPolicies::Syntax(format!("{fault}")))?;
        let verdict = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
        if !verdict.validation_passed_without_warnings() {
            return Err(InvalidPolicies::Mismatch(verdict.to_string()));
        }
        let checks = checks(&policies)?;
        Ok(Self { policies, schema, checks })
    }

    /// The schema that requests must fit.
    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Every forbid, in the order of the file.
    pub(super) fn checks(&self) -> &[Objection] {
        &self.checks
    }

    /// Asks.
    pub(super) fn ask(&self, request: &Request, entities: &Entities) -> Answer<'_> {
        let response = Authorizer::new().is_authorized(request, &self.policies, entities);
        // Cedar leaves out a policy whose evaluation fails. A forbid that is left out would open
        // the door, so here a single failure denies.
        if let Some(fault) = response.diagnostics().errors().next() {
            tracing::error!(%fault, "no decision");
            return Answer::Fault;
        }
        if response.decision() == Decision::Allow {
            return Answer::Allow;
        }
        let raised = |check: &&Objection| {
            response.diagnostics().reason().any(|policy| *policy == check.policy)
        };
        let objections: Vec<&Objection> = self.checks.iter().filter(raised).collect();
        if objections.is_empty() {
            tracing::error!("no decision: nothing permits it and nothing objects");
            return Answer::Fault;
        }
        Answer::Deny(objections)
    }
}

impl Objection {
    /// Whether it stands for the action with this name at all.
    pub(super) fn concerns(&self, action: &str) -> bool {
        self.actions.as_ref().is_none_or(|actions| actions.iter().any(|one| one == action))
    }
}

/// The forbids of `policies` by their place in the file. Cedar numbers what it parses.
fn checks(policies: &PolicySet) -> Result<Vec<Objection>, InvalidPolicies> {
    let mut checks = Vec::new();
    for policy in policies.policies().filter(|policy| policy.effect() == Effect::Forbid) {
        let unnamed = || InvalidPolicies::Unnamed(policy.id().clone());
        let id = policy.annotation("id").ok_or_else(unnamed)?;
        let code = id.split_once('/').map_or(id, |(code, _)| code);
        let reason = Reason::from_code(code).ok_or_else(unnamed)?;
        let number: &str = policy.id().as_ref();
        let place: usize = number.trim_start_matches("policy").parse().map_err(|_| unnamed())?;
        let actions = match policy.action_constraint() {
            ActionConstraint::Any => None,
            ActionConstraint::Eq(one) => Some(vec![one]),
            ActionConstraint::In(some) => Some(some),
        };
        let unquoted = |action: EntityUid| action.id().unescaped().to_owned();
        let objection = Objection {
            policy: policy.id().clone(),
            id: id.to_owned(),
            reason,
            actions: actions.map(|some| some.into_iter().map(unquoted).collect()),
        };
        checks.push((place, objection));
    }
    checks.sort_by_key(|(place, _)| *place);
    Ok(checks.into_iter().map(|(_, check)| check).collect())
}
