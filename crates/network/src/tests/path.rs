//! How packets find their way.

use std::net::{Ipv4Addr, SocketAddrV4};

use sim::{Digest, Duration};
use trace::{Verdict, What};

use super::*;
use crate::Transport;

#[test]
fn pods_of_one_machine_reach_each_other_over_the_bridge() {
    let mut net = Net::new(1);
    let (client, _) = net.pod(0);
    let (server, address) = net.pod(0);
    let (from, to) = net.established(client, server, (address, 80));
    net.sockets(client, 1).send(from, message("hello")).unwrap();
    net.run(Duration::from_millis(1));
    assert_eq!(net.events(2), [received("hello")]);
    net.sockets(server, 2).send(to, message("you too")).unwrap();
    net.run(Duration::from_millis(1));
    assert_eq!(net.events(1), [received("you too")]);
    assert!(net.seen.is_empty(), "nothing leaves the machine");
}

#[test]
fn the_hops_between_pods_of_one_machine() {
    let mut net = Net::new(1);
    let (client, _) = net.pod(0);
    let (server, address) = net.pod(0);
    net.listen(server, 2, 80);
    net.connect(client, 1, (address, 80)).unwrap();
    // What a program sends before the machine knows whether it is traced is in no record.
    net.trace = Trace::new(1000);
    net.trace.set_explain(true);
    net.run(Duration::from_micros(20));
    let veth = net.machines[0].forwarding_database()[0].split(' ').nth(2).unwrap().to_string();
    assert_eq!(
        net.hops(),
        [
            "sandbox eth0 Sent 10.244.1.0/24 dev eth0 scope link src 10.244.1.3",
            "sandbox eth0 Sent ARP who-has 10.244.1.2: is-at 02:42:0a:f4:01:02",
            &format!("node-1 {veth} Forwarded switched to 02:42:0a:f4:01:02"),
            "sandbox eth0 Delivered",
        ]
    );
    let ways = net.trace.records().filter_map(|record| match &record.what {
        What::Packet { from, to, kind, verdict, .. } => {
            Some((*from, *to, kind.to_string(), *verdict))
        }
        _ => None,
    });
    let (server, client) = (Ipv4Addr::new(10, 244, 1, 3), Ipv4Addr::new(10, 244, 1, 2));
    assert_eq!(
        ways.collect::<Vec<_>>(),
        [(Some(server), Some(client), "SYN-ACK".to_string(), Verdict::Delivered)]
    );
}

#[test]
fn pods_of_two_machines_reach_each_other_through_the_tunnel() {
    let mut net = Net::new(2);
    let (client, from) = net.pod(0);
    let (server, address) = net.pod(1);
    let (connection, _) = net.established(client, server, (address, 80));
    net.sockets(client, 1).send(connection, message("hello")).unwrap();
    net.run(Duration::from_millis(1));
    assert_eq!(net.events(2), [received("hello")]);
    let first = &net.seen[0].packet;
    assert_eq!(first.source, Ipv4Addr::new(192, 168, 0, 1));
    assert_eq!(first.destination, Ipv4Addr::new(192, 168, 0, 2));
    assert_eq!(first.transport.ports().1, 8472);
    let inner = &first.encapsulated.as_ref().expect("a frame").packet;
    assert_eq!((inner.source, inner.destination), (from, address));
    assert_eq!(inner.time_to_live, 63, "the machine is a router");
}

#[test]
fn host_gateway_needs_no_tunnel() {
    let mut net = Net::new(2);
    net.connect_by(FlannelBackend::HostGateway);
    let (client, from) = net.pod(0);
    let (server, address) = net.pod(1);
    net.established(client, server, (address, 80));
    let first = &net.seen[0].packet;
    assert_eq!((first.source, first.destination), (from, address));
    assert!(first.encapsulated.is_none());
}

#[test]
fn hosts_and_pods_reach_each_other_on_every_machine() {
    let mut net = Net::new(2);
    let (pod, address) = net.pod(1);
    for host in [0, 1] {
        let (from, owner) = ((host, NamespaceId::HOST), 10 + host as u64);
        let port = 8000 + host as u16;
        net.listen(pod, owner + 100, port);
        net.connect(from, owner, (address, port)).unwrap();
        net.run(Duration::from_millis(1));
        assert_eq!(net.events(owner), [SocketEvent::Connected]);
        let node = net.machines[host].address_of(NamespaceId::HOST);
        net.listen(from, owner + 200, port);
        net.connect(pod, owner + 300, (node, port)).unwrap();
        net.run(Duration::from_millis(1));
        assert_eq!(net.events(owner + 300), [SocketEvent::Connected]);
    }
}

#[test]
fn a_pod_reaches_itself_by_loopback_and_by_its_address() {
    let mut net = Net::new(1);
    let (pod, address) = net.pod(0);
    net.listen(pod, 2, 80);
    for (owner, to, peer) in [(1, Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST), (3, address, address)]
    {
        net.connect(pod, owner, (to, 80)).unwrap();
        net.run(Duration::from_millis(1));
        assert_eq!(net.events(owner), [SocketEvent::Connected]);
        net.run(Duration::from_millis(50));
        assert_eq!(net.accepted(2).1.ip(), &peer);
    }
}

#[test]
fn datagrams_arrive_and_a_closed_port_is_reported() {
    let mut net = Net::new(2);
    let (client, from) = net.pod(0);
    let (server, address) = net.pod(1);
    let open = net.sockets(server, 2).listen(TransportProtocol::Udp, None, 53).unwrap();
    let socket = net.sockets(client, 1).listen(TransportProtocol::Udp, None, 0).unwrap();
    let to = SocketAddrV4::new(address, 53);
    net.sockets(client, 1).send_to(socket, to, message("who?")).unwrap();
    net.run(Duration::from_millis(1));
    let from = SocketAddrV4::new(from, 32768);
    assert_eq!(net.events(2), [SocketEvent::Datagram { from, payload: message("who?") }]);
    net.sockets(server, 2).send_to(open, from, message("me")).unwrap();
    net.run(Duration::from_millis(1));
    assert_eq!(net.events(1), [SocketEvent::Datagram { from: to, payload: message("me") }]);
    net.sockets(server, 2).close(open);
    net.sockets(client, 1).send_to(socket, to, message("still?")).unwrap();
    net.run(Duration::from_millis(1));
    assert_eq!(net.events(1), [SocketEvent::Refused]);
}

#[test]
fn ping_is_answered_and_routers_are_found_by_their_time_to_live() {
    let mut net = Net::new(2);
    let (client, _) = net.pod(0);
    let (_, address) = net.pod(1);
    let socket = net.sockets(client, 1).open_echo().unwrap();
    let mut stations = Vec::new();
    for time_to_live in 1..=3 {
        let mut sockets = net.sockets(client, 1);
        sockets.send_echo(socket, address, u16::from(time_to_live), time_to_live).unwrap();
        net.run(Duration::from_millis(1));
        for event in net.events(1) {
            if let SocketEvent::Icmp { from, kind, sequence, .. } = event {
                stations.push((sequence, from.to_string(), kind));
            }
        }
    }
    let want = [(1, "10.244.1.1", 11), (2, "10.244.2.0", 11), (3, "10.244.2.2", 0)];
    let want: Vec<_> = want.map(|(n, from, kind)| (n, from.to_string(), kind)).into();
    assert_eq!(stations, want);
}

#[test]
fn an_address_without_a_route_or_a_station_is_unreachable() {
    let mut net = Net::new(1);
    let host = (0, NamespaceId::HOST);
    let (pod, _) = net.pod(0);
    let nowhere = (Ipv4Addr::new(203, 0, 113, 1), 80);
    assert_eq!(net.connect(host, 1, nowhere), Err(SocketError::NetworkUnreachable));
    // The pod has a default route; the machine that it goes to has none.
    net.connect(pod, 2, nowhere).unwrap();
    net.run(Duration::from_millis(1));
    assert_eq!(net.events(2), [SocketEvent::Unreachable]);
    // Nobody on the bridge has the address: asking for it takes three seconds.
    net.connect(pod, 3, (Ipv4Addr::new(10, 244, 1, 77), 80)).unwrap();
    net.run(Duration::from_millis(2_900));
    assert_eq!(net.events(3), []);
    net.run(Duration::from_millis(200));
    assert_eq!(net.events(3), [SocketEvent::Unreachable]);
}

#[test]
fn a_pod_that_is_gone_leaves_nothing() {
    let mut net = Net::new(1);
    let (client, _) = net.pod(0);
    let (server, address) = net.pod(0);
    net.established(client, server, (address, 80));
    net.machines[0].remove_pod(server.1, net.now);
    net.connect(client, 5, (address, 80)).unwrap();
    net.run(Duration::from_secs(4));
    // The pod's own table still has the station; the bridge has no port for it.
    assert_eq!(net.events(5), []);
    let machine = &net.machines[0];
    assert_eq!(machine.host.devices().count(), 5, "lo, eth0, cni0, flannel.1 and one pod's");
    assert!(machine.forwarding_database().iter().all(|line| !line.contains("01:03")));
}

#[test]
fn tracing_changes_nothing() {
    let run = |capacity| {
        let mut net = Net::new(2);
        net.trace = Trace::new(capacity);
        net.trace.set_explain(true);
        let (client, _) = net.pod(0);
        let (server, address) = net.pod(1);
        let (connection, _) = net.established(client, server, (address, 80));
        net.sockets(client, 1).send(connection, message("hello")).unwrap();
        net.run(Duration::from_secs(1));
        net.machines.iter().map(Digest::of).collect::<Vec<_>>()
    };
    assert_eq!(run(0), run(1000));
}

#[test]
fn a_copy_goes_on_as_the_original_does() {
    let mut net = Net::new(2);
    let (client, _) = net.pod(0);
    let (server, address) = net.pod(1);
    let (connection, _) = net.established(client, server, (address, 80));
    let copy = net.machines.clone();
    let mut ends = Vec::new();
    for machines in [net.machines.clone(), copy] {
        net.machines = machines;
        let start = net.now;
        net.sockets(client, 1).send(connection, message("again")).unwrap();
        net.run(Duration::from_secs(1));
        ends.push(net.machines.iter().map(Digest::of).collect::<Vec<_>>());
        net.now = start;
    }
    assert_eq!(ends[0], ends[1]);
}

#[test]
fn the_mark_stays_on_the_machine() {
    let mut net = Net::new(2);
    let (client, _) = net.pod(0);
    let (server, address) = net.pod(1);
    net.established(client, server, (address, 80));
    assert!(net.seen.iter().all(|frame| frame.packet.mark == 0));
    assert!(net.seen.iter().all(|frame| matches!(frame.packet.transport, Transport::Udp { .. })));
}
