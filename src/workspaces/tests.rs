//! Domain.md G.2, by its numbers.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{AdminRight, CaseRight, CaseRights, Member, Predefined, UserType, billed_seats};

fn member(person: &str, user_type: UserType) -> Member {
    Member::new(person.parse().unwrap(), user_type)
}

#[test]
fn g2_4_staff_works_client_interacts_bot_reads() {
    use CaseRight::{Comment, Read, ReadHistory};
    let has = |role: Predefined| [Read, Comment, ReadHistory].map(|one| role.rights().has(one));
    assert_eq!(has(Predefined::Staff), [true, true, true]);
    assert_eq!(has(Predefined::Client), [true, true, false]);
    assert_eq!(has(Predefined::Bot), [true, false, false]);
    for role in Predefined::ALL {
        assert_eq!(Predefined::from_code(role.code()), Some(role));
    }
}

#[test]
fn g2_4_a_custom_role_of_viewer_and_chat_allows_exactly_those() {
    let custom = CaseRights::from(BTreeSet::from([CaseRight::Read, CaseRight::Comment]));
    assert!(custom.has(CaseRight::Read) && custom.has(CaseRight::Comment));
    assert!(!custom.has(CaseRight::ReadHistory));
}

#[test]
fn g2_4_a_role_without_a_tick_still_reads() {
    assert!(CaseRights::from(BTreeSet::new()).has(CaseRight::Read));
}

#[test]
fn g2_5_the_administrator_cannot_be_changed_made_or_removed() {
    let founder = member("ann", UserType::Administrator);
    for to in [None, Some(UserType::Manager), Some(UserType::Administrator)] {
        assert!(founder.become_type(to).is_err());
    }
    assert!(founder.without([AdminRight::Members].into()).is_err());
    assert!(member("max", UserType::Manager).become_type(Some(UserType::Administrator)).is_err());
}

#[test]
fn g2_5_a_right_taken_from_a_manager_is_gone_and_the_others_stay() {
    let manager = member("max", UserType::Manager);
    assert!(AdminRight::ALL.into_iter().all(|right| manager.may(right)));
    let less = manager.without([AdminRight::Members].into()).unwrap();
    assert!(!less.may(AdminRight::Members));
    assert!(less.may(AdminRight::CaseRoles) && less.may(AdminRight::Cases));
}

#[test]
fn g2_5_one_admin_two_managers_three_staff_four_users_and_a_bot_are_six_seats() {
    use UserType::{Administrator, Bot, Manager, Staff, User};
    let types = [Administrator, Manager, Manager, Staff, Staff, Staff, User, User, User, User, Bot];
    let members: Vec<Member> = types.into_iter().map(|one| member("x", one)).collect();
    assert_eq!(billed_seats(&members), 6);
}

#[test]
fn g2_6_neither_staff_nor_user_nor_bot_administers() {
    for user_type in [UserType::Staff, UserType::User, UserType::Bot] {
        let member = member("x", user_type);
        assert!(!AdminRight::ALL.into_iter().any(|right| member.may(right)), "{user_type:?}");
    }
}

proptest! {
    /// Whatever is done to members one after another: the founder stays the only Administrator.
    #[test]
    fn a_workspace_has_one_administrator_whatever_is_done(
        steps in proptest::collection::vec((0..4_usize, 0..6_usize), 0..40),
    ) {
        use UserType::{Administrator, Bot, Manager, Staff, User};
        let mut members = vec![member("ann", Administrator)];
        members.extend(["bo", "cy", "di"].map(|one| member(one, User)));
        for (who, what) in steps {
            let to = [None, Some(Administrator), Some(Manager), Some(Staff), Some(User), Some(Bot)];
            if let Some(old) = members.get(who).cloned()
                && let Ok(changed) = old.become_type(to[what])
            {
                members.remove(who);
                members.extend(changed);
            }
            let admins: Vec<&Member> =
                members.iter().filter(|one| one.user_type == Administrator).collect();
            prop_assert!(admins.len() == 1 && admins[0].person.as_str() == "ann");
        }
    }
}
