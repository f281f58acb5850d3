use realm_protocol::{NodeId, RealmId, RealmPath, Secret16, TicketId, Timestamp};

use super::*;

fn ticket() -> Ticket {
    Ticket {
        id: TicketId::new([1; 16]),
        secret: Secret16::new(*b"0123456789abcdef"),
        kind: TicketKind::Child("health".parse().unwrap()),
        realm: RealmId::new([3; 32]),
        root: RealmId::new([4; 32]),
        path: RealmPath::ROOT,
        petname: "acme".parse().unwrap(),
        node: NodeId::new([5; 32]),
        addresses: vec!["/ip4/127.0.0.1/tcp/4001".to_owned()],
        expires: Timestamp::from_millis(1_800_000_000_000),
    }
}

#[test]
fn a_ticket_survives_its_text_form_with_white_space_around_it() {
    let text = format!("\n {} \n", encode(&ticket()));

    assert_eq!(decode(&text), Ok(ticket()));
}

#[test]
fn every_changed_character_and_every_cut_is_noticed() {
    let text = encode(&ticket());

    for at in PREFIX.len()..text.len() {
        let mut changed = text.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();

        assert!(decode(&changed).is_err(), "changed at {at}");
        assert!(decode(&text[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn what_people_read_holds_no_secret() {
    let view = show(&encode(&ticket())).unwrap();

    let shown = format!("{view:?}");
    assert!(!shown.contains(&ticket().secret.to_string()));
    assert_eq!(view.expires_at.to_string(), "2027-01-15T08:00:00.000Z");
}

#[test]
fn another_version_is_told_from_no_ticket() {
    assert_eq!(
        decode("realm-ticket-v2:AAAA").unwrap_err().code(),
        Code::TicketVersion
    );
    assert_eq!(decode("hello").unwrap_err(), TicketError::NotATicket);
}
