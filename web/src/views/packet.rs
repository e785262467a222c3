//! The last packet in words, for who goes step by step.

use protocol::{PacketRow, PacketSort, Station};
use yew::AttrValue;

use crate::model::Tables;
use crate::strings::Strings;

/// What a packet was, and from where to where it went.
pub fn packet_words(packet: &PacketRow, tables: &Tables, strings: &'static Strings) -> AttrValue {
    let place = |station: &Station| match station {
        Station::Pod(uid) => {
            tables.pods.get(uid).map_or_else(|| uid.clone(), |pod| pod.name.clone())
        }
        Station::Node(name) => name.clone(),
        Station::Outside => strings.outside.to_owned(),
    };
    let service = packet.through.as_ref().and_then(|uid| tables.services.get(uid));
    let mut words = format!("{}: {} → ", packet.words, place(&packet.from));
    if let Some(service) = service {
        words += &format!("Service {} → ", service.name);
    }
    words += &place(&packet.to);
    if packet.sort <= PacketSort::Refused {
        words += &format!(" · {}", strings.packet_lost);
    }
    words.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::World;
    use crate::model::testing::{batch, pod};
    use crate::strings::Language;
    use protocol::{Delta, PodState};

    #[test]
    fn a_packet_is_named_with_its_places_and_its_loss() {
        let mut world = World::default();
        let client = pod("client", Some("node-1"), PodState::Ready);
        let uid = client.uid.clone();
        world.apply(batch(1, vec![Delta::Pod(Box::new(client))])).unwrap();
        let packet = |sort| PacketRow {
            id: 1,
            from: Station::Pod(uid.clone()),
            through: None,
            to: Station::Node("node-1".into()),
            sort,
            words: "SYN".into(),
            time_ms: 0,
        };
        let words = |sort| packet_words(&packet(sort), &world.tables, Language::English.strings());
        assert_eq!(words(PacketSort::Control), "SYN: client → node-1");
        assert_eq!(words(PacketSort::Lost), "SYN: client → node-1 · Packet dropped");
    }
}
