//! The states of connections as netfilter sees them, and how long each is remembered.

use std::net::Ipv4Addr;

use sim::{Duration, Stream, Time};

use super::*;
use crate::{Payload, Transport};

const CLIENT: (Ipv4Addr, u16) = (Ipv4Addr::new(10, 244, 1, 2), 40000);
const SERVER: (Ipv4Addr, u16) = (Ipv4Addr::new(10, 96, 0, 10), 80);

fn packet(reply: bool, flags: &str) -> Ipv4Packet {
    let (from, to) = if reply { (SERVER, CLIENT) } else { (CLIENT, SERVER) };
    let has = |letter| flags.contains(letter);
    let transport = match flags {
        "udp" => Transport::Udp { source: from.1, destination: to.1 },
        _ => Transport::Tcp {
            source: from.1,
            destination: to.1,
            flags: TcpFlags { syn: has('S'), ack: has('A'), fin: has('F'), rst: has('R') },
            sequence: 0,
            acknowledgement: 0,
        },
    };
    Ipv4Packet {
        id: 1,
        source: from.0,
        destination: to.0,
        time_to_live: 64,
        transport,
        payload: Payload::Empty,
        encapsulated: None,
        mark: 0,
    }
}

/// What the packets of a connection are to rules, one after the other.
fn states(conntrack: &mut Conntrack, packets: &[(bool, &str)], now: Time) -> Vec<States> {
    let seen = packets.iter().map(|(reply, flags)| {
        let mut packet = packet(*reply, flags);
        let track = conntrack.look(&mut packet, now);
        if let Track::New(flow) = track {
            conntrack.confirm(flow, &mut packet, now).unwrap();
        }
        track.states()
    });
    seen.collect()
}

/// Linux, nf_conntrack_proto_tcp.c, tcp_timeouts, with the two that kube-proxy sets.
#[test]
fn each_state_of_a_connection_is_remembered_for_its_time() {
    const OPEN: [(bool, &str); 3] = [(false, "S"), (true, "SA"), (false, "A")];
    for (more, seconds) in [
        (&[][..], 86_400),
        (&[(true, "FA")], 120),
        (&[(true, "FA"), (false, "A")], 3_600),
        (&[(true, "FA"), (false, "A"), (false, "FA")], 30),
        (&[(true, "FA"), (false, "FA")], 30),
        (&[(true, "FA"), (false, "FA"), (true, "A")], 120),
        (&[(true, "RA")], 10),
    ] {
        let mut conntrack = Conntrack::default();
        states(&mut conntrack, &OPEN, Time::ZERO);
        states(&mut conntrack, more, Time::ZERO);
        let last = Time::ZERO + Duration::from_secs(seconds);
        let before = Time::from_nanos(last.as_nanos() - 1);
        assert_eq!(conntrack.views(before).count(), 1, "{more:?}");
        assert_eq!(conntrack.views(last).count(), 0, "{more:?}");
    }
    for (packets, seconds) in [
        (&OPEN[..1], 120),
        (&OPEN[..2], 60),
        (&[(false, "udp")], 30),
        (&[(false, "udp"), (true, "udp")], 120),
    ] {
        let mut conntrack = Conntrack::default();
        states(&mut conntrack, packets, Time::ZERO);
        let last = Time::ZERO + Duration::from_secs(seconds);
        let before = Time::from_nanos(last.as_nanos() - 1);
        let alive = [before, last].map(|now| conntrack.views(now).count());
        assert_eq!(alive, [1, 0], "{packets:?}");
    }
}

#[test]
fn packets_are_new_established_or_invalid() {
    const NEW: States = States::NEW;
    const ESTABLISHED: States = States::ESTABLISHED;
    const INVALID: States = States::INVALID;
    for (packets, want) in [
        (
            &[(false, "S"), (false, "S"), (true, "SA"), (false, "A")][..],
            &[NEW, NEW, ESTABLISHED, ESTABLISHED][..],
        ),
        // A connection that the table missed the beginning of is taken up.
        (&[(false, "A"), (true, "A")], &[NEW, ESTABLISHED]),
        (&[(true, "SA")], &[INVALID]),
        (&[(false, "R")], &[INVALID]),
        (&[(false, "FA")], &[INVALID]),
        (&[(false, "udp"), (false, "udp"), (true, "udp")], &[NEW, NEW, ESTABLISHED]),
        // The same ends again, right after.
        (&[(false, "S"), (true, "RA"), (false, "S")], &[NEW, ESTABLISHED, NEW]),
    ] {
        assert_eq!(states(&mut Conntrack::default(), packets, Time::ZERO), want, "{packets:?}");
    }
}

#[test]
fn what_is_over_leaves_the_table() {
    let mut conntrack = Conntrack::default();
    for round in 0..2_000_u32 {
        let now = Time::ZERO + Duration::from_secs(u64::from(round));
        let mut packet = packet(false, "udp");
        packet.source = Ipv4Addr::from(round);
        let Track::New(flow) = conntrack.look(&mut packet, now) else { panic!("{round}") };
        conntrack.confirm(flow, &mut packet, now).unwrap();
        assert!(conntrack.flows.len() <= 100, "{}", conntrack.flows.len());
        assert_eq!(conntrack.index.len(), 2 * conntrack.flows.len());
    }
}

#[test]
fn rewritten_sources_stay_apart_until_no_port_is_left_to_try() {
    let node = Ipv4Addr::new(192, 168, 0, 1);
    let mut stream = Stream::new(1, "ports");
    for random in [false, true] {
        let mut conntrack = Conntrack::default();
        let mut ports = std::collections::BTreeSet::new();
        for pod in 0..100 {
            let mut packet = packet(false, "S");
            packet.source = Ipv4Addr::new(10, 244, 1, pod);
            let Track::New(mut flow) = conntrack.look(&mut packet, Time::ZERO) else { panic!() };
            let drawn = random.then_some(&mut stream);
            let from = (node, CLIENT.1);
            conntrack.rewrite_source(&mut flow, from, drawn, Time::ZERO).unwrap();
            let (address, port) = flow.source_of(false).unwrap();
            assert_eq!(address, node);
            assert!(ports.insert(port), "{port} twice");
            conntrack.confirm(flow, &mut packet, Time::ZERO).unwrap();
            // The answer finds its way back.
            let mut answer = super::tests::packet(true, "SA");
            set_destination(&mut answer, (node, port));
            let Track::Known { flow, reply: true } = conntrack.look(&mut answer, Time::ZERO) else {
                panic!("no answer at {port}")
            };
            assert_eq!(flow.destination_of(true), Some((packet.source, CLIENT.1)));
        }
        let first = u16::from(!random) * CLIENT.1;
        assert!(random || ports.first() == Some(&first));
    }
}
