//! Domain.md G.3, by its numbers.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{
    Cc, ChangeRefused, Domain, MembershipError, OrgSetting, PersonSetting, Sight, Standing, Wider,
    belongs, may_change, may_widen, organisation_for, sight,
};
use crate::ids::OrganisationId;

const COLLEAGUE: Standing = Standing {
    own: false,
    member: true,
    partner: false,
    agreed: false,
    managed: false,
    cc: None,
    organisation: OrgSetting::OwnOnly,
    person: PersonSetting::OwnOnly,
};

fn domains(names: &[&str]) -> BTreeSet<Domain> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn organisations(names: &[&str]) -> BTreeSet<OrganisationId> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

#[test]
fn g3_1_people_belong_by_the_whole_domain_of_their_address() {
    let ours = domains(&["o.com", "o.de"]);
    assert!(belongs("x@o.de", &ours) && belongs("X@O.COM", &ours));
    for other in ["x@p.com", "x@evil-o.com", "x@o.com.evil", "x@sub.o.com", "o.com", "x@y@o.com"] {
        assert!(!belongs(other, &ours), "{other}");
    }
}

#[test]
fn g3_1_a_domain_is_written_as_after_the_at_sign() {
    assert_eq!("O.Com".parse::<Domain>().unwrap().as_str(), "o.com");
    for bad in ["", "com", "@o.com", "o..com", ".o.com", "o.com.", "-o.com", "o com", "ö.com"] {
        assert!(bad.parse::<Domain>().is_err(), "{bad}");
    }
}

#[test]
fn g3_2_the_more_permissive_setting_wins_in_every_cell() {
    use OrgSetting as O;
    use PersonSetting as P;
    let table = [
        (P::OwnOnly, O::OwnOnly, Sight::Nothing),
        (P::OwnOnly, O::View, Sight::View),
        (P::OwnOnly, O::Comment, Sight::Comment),
        (P::Organisation, O::OwnOnly, Sight::View),
        (P::Organisation, O::View, Sight::View),
        (P::Organisation, O::Comment, Sight::Comment),
    ];
    for (person, organisation, expected) in table {
        let standing = Standing { person, organisation, ..COLLEAGUE };
        assert_eq!(sight(&standing), expected, "{person:?} {organisation:?}");
        // The own case is the person's in each of them.
        assert_eq!(sight(&Standing { own: true, ..standing }), Sight::Comment);
    }
}

#[test]
fn g3_3_whoever_is_on_the_copy_list_sees_and_comments_and_loses_it_with_the_copy() {
    for member in [true, false] {
        let copied = Standing { member, cc: Some(Cc::Another), ..COLLEAGUE };
        assert_eq!(sight(&copied), Sight::Comment);
        assert_eq!(sight(&Standing { cc: None, ..copied }), Sight::Nothing);
    }
}

#[test]
fn g3_4_a_shared_organisation_shows_its_cases_to_its_own_and_to_nobody_else() {
    let read_only = Standing { organisation: OrgSetting::View, ..COLLEAGUE };
    let read_write = Standing { organisation: OrgSetting::Comment, ..COLLEAGUE };
    assert_eq!(sight(&read_only), Sight::View);
    assert_eq!(sight(&read_write), Sight::Comment);
    for setting in [read_only, read_write] {
        assert_eq!(sight(&Standing { own: true, ..setting }), Sight::Comment);
        assert_eq!(sight(&Standing { member: false, ..setting }), Sight::Nothing);
    }
}

#[test]
fn g3_6_a_partner_comments_when_copied_by_the_requester_or_where_comments_are_shared() {
    let partner = Standing { partner: true, person: PersonSetting::Organisation, ..COLLEAGUE };
    assert_eq!(sight(&partner), Sight::View);
    assert_eq!(sight(&Standing { cc: Some(Cc::Requester), ..partner }), Sight::Comment);
    assert_eq!(sight(&Standing { cc: Some(Cc::Another), ..partner }), Sight::View);
    let shared = |organisation| sight(&Standing { organisation, ..partner });
    assert_eq!(shared(OrgSetting::Comment), Sight::Comment);
    // CON-16
    assert_eq!(shared(OrgSetting::View), Sight::View);
}

#[test]
fn g3_6_a_wider_option_needs_the_agreement_of_the_associated_organisation() {
    assert_eq!(may_widen(Wider { on: true, agreed: false }), Err(ChangeRefused::NotAgreed));
    assert_eq!(may_widen(Wider { on: true, agreed: true }), Ok(()));
    assert_eq!(may_widen(Wider { on: false, agreed: false }), Ok(()));
    let partner = Standing { partner: true, ..COLLEAGUE };
    assert_eq!(sight(&partner), Sight::Nothing);
    assert_eq!(sight(&Standing { agreed: true, ..partner }), Sight::View);
}

#[test]
fn g3_7_whoever_belongs_to_several_organisations_says_which_and_to_one_need_not() {
    let (one, two) = (organisations(&["o"]), organisations(&["o", "p"]));
    let (o, q) = ("o".parse().unwrap(), "q".parse().unwrap());
    assert_eq!(organisation_for(&two, None), Err(MembershipError::MustSay));
    assert_eq!(organisation_for(&two, Some(&o)), Ok(Some(&o)));
    assert_eq!(organisation_for(&one, None), Ok(Some(&o)));
    assert_eq!(organisation_for(&one, Some(&q)), Err(MembershipError::NotAMember));
    assert_eq!(organisation_for(&organisations(&[]), None), Ok(None));
}

#[test]
fn g3_8_a_client_of_a_managed_service_sees_nothing() {
    for organisation in [OrgSetting::OwnOnly, OrgSetting::View, OrgSetting::Comment] {
        let client = Standing { own: true, managed: true, organisation, ..COLLEAGUE };
        assert_eq!(sight(&client), Sight::Nothing);
    }
}

#[test]
fn g3_9_only_a_listed_approver_changes_a_setting() {
    assert_eq!(may_change(false), Err(ChangeRefused::NoApprover));
    assert_eq!(may_change(true), Ok(()));
}

prop_compose! {
    fn any_standing()(
        flags in proptest::array::uniform5(any::<bool>()),
        cc in 0..3_usize,
        organisation in 0..3_usize,
        sees in any::<bool>(),
    ) -> Standing {
        let [own, member, partner, agreed, managed] = flags;
        Standing {
            own,
            member,
            partner,
            agreed,
            managed,
            cc: [None, Some(Cc::Requester), Some(Cc::Another)][cc],
            organisation: [OrgSetting::OwnOnly, OrgSetting::View, OrgSetting::Comment][organisation],
            person: if sees { PersonSetting::Organisation } else { PersonSetting::OwnOnly },
        }
    }
}

proptest! {
    /// A setting that is more permissive never shows less.
    #[test]
    fn more_permissive_never_shows_less(standing in any_standing()) {
        let seen = sight(&standing);
        let opened = Standing { organisation: OrgSetting::Comment, ..standing };
        prop_assert!(sight(&opened) >= seen);
        let opened = Standing { person: PersonSetting::Organisation, ..standing };
        prop_assert!(sight(&opened) >= seen);
        let opened = Standing { cc: Some(Cc::Requester), ..standing };
        prop_assert!(sight(&opened) >= seen);
    }

    /// Whoever has nothing to do with a case sees nothing of it, however everything is set.
    #[test]
    fn a_stranger_sees_nothing(standing in any_standing()) {
        let stranger = Standing { own: false, member: false, cc: None, ..standing };
        prop_assert_eq!(sight(&stranger), Sight::Nothing);
    }
}
