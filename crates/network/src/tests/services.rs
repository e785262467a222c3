//! Services as kube-proxy programs them.
//!
//! Upstream: pkg/proxy/iptables/proxier_test.go, TestOverallIPTablesRules, has the rules.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4};

use sim::Duration;
use trace::{Verdict, What};

use super::*;
use crate::TableName;

pub(crate) const SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);
pub(crate) const BASE: &str = r#"*filter
:KUBE-SERVICES - [0:0]
:KUBE-FORWARD - [0:0]
-A INPUT -m conntrack --ctstate NEW -j KUBE-SERVICES
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
*nat
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
:FLANNEL-POSTRTG - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
COMMIT
"#;

/// Rules of a Service at port 80 with those endpoints, and a node port.
pub(crate) fn service(endpoints: &[Ipv4Addr], affinity: bool) -> String {
    let mut nat = String::from("*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-NODEPORTS - [0:0]\n");
    let mut filter = String::from("*filter\n:KUBE-SERVICES - [0:0]\n");
    let _ = writeln!(nat, ":KUBE-SVC-A - [0:0]\n:KUBE-EXT-A - [0:0]");
    for number in 0..endpoints.len() {
        let _ = writeln!(nat, ":KUBE-SEP-{number} - [0:0]");
    }
    if endpoints.is_empty() {
        let _ = writeln!(
            filter,
            "-A KUBE-SERVICES -m comment --comment \"a/b:http has no endpoints\" -m tcp -p tcp -d \
             {SERVICE} --dport 80 -j REJECT"
        );
    } else {
        let _ = writeln!(
            nat,
            "-A KUBE-SERVICES -m comment --comment \"a/b:http cluster IP\" -m tcp -p tcp -d \
             {SERVICE} --dport 80 -j KUBE-SVC-A\n-A KUBE-NODEPORTS -m comment --comment a/b:http \
             -m tcp -p tcp --dport 30080 -j KUBE-EXT-A\n-A KUBE-EXT-A -j KUBE-MARK-MASQ\n-A \
             KUBE-EXT-A -j KUBE-SVC-A\n-A KUBE-SVC-A -m tcp -p tcp -d {SERVICE} --dport 80 ! -s \
             10.244.0.0/16 -j KUBE-MARK-MASQ"
        );
    }
    let count = endpoints.len();
    for number in (0..count).filter(|_| affinity) {
        let _ = writeln!(
            nat,
            "-A KUBE-SVC-A -m recent --name KUBE-SEP-{number} --rcheck --seconds 10800 --reap -j \
             KUBE-SEP-{number}"
        );
    }
    for (number, endpoint) in endpoints.iter().enumerate() {
        let left = (count - number) as f64;
        let chance = match left {
            1.0 => String::new(),
            left => format!("-m statistic --mode random --probability {:.10} ", 1.0 / left),
        };
        let set = match affinity {
            true => format!("-m recent --name KUBE-SEP-{number} --set "),
            false => String::new(),
        };
        let _ = writeln!(
            nat,
            "-A KUBE-SVC-A {chance}-j KUBE-SEP-{number}\n-A KUBE-SEP-{number} -s {endpoint} -j \
             KUBE-MARK-MASQ\n-A KUBE-SEP-{number} {set}-m tcp -p tcp -j DNAT --to-destination \
             {endpoint}:8080"
        );
    }
    let _ = writeln!(
        nat,
        "-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\nCOMMIT\n{filter}COMMIT"
    );
    nat
}

/// Machines whose kube-proxies know a Service.
pub(crate) fn with_service(net: &mut Net, endpoints: &[Ipv4Addr], affinity: bool) {
    for machine in &mut net.machines {
        if machine.save(NamespaceId::HOST, None, false).is_empty() {
            machine.restore(NamespaceId::HOST, BASE, true).unwrap();
        }
        machine.restore(NamespaceId::HOST, &service(endpoints, affinity), true).unwrap();
    }
}

/// Two machines, a client and a server in pods, and the Service of the server.
fn pair(client_at: usize, server_at: usize) -> (Net, Place, Place, Ipv4Addr) {
    let mut net = Net::new(2);
    let (client, from) = net.pod(client_at);
    let (server, address) = net.pod(server_at);
    with_service(&mut net, &[address], false);
    net.listen(server, 2, 8080);
    (net, client, server, from)
}

#[test]
fn a_service_is_reached_on_the_same_and_on_the_other_machine() {
    for server_at in [0, 1] {
        let (mut net, client, server, from) = pair(0, server_at);
        let socket = net.connect(client, 1, (SERVICE, 80)).unwrap();
        net.run(Duration::from_millis(50));
        assert_eq!(net.events(1), [SocketEvent::Connected], "server on {server_at}");
        let (at, peer) = net.accepted(2);
        assert_eq!(peer.ip(), &from, "a pod's own address stays");
        net.sockets(client, 1).send(socket, message("GET")).unwrap();
        net.run(Duration::from_millis(1));
        assert_eq!(net.events(2), [received("GET")]);
        net.sockets(server, 2).send(at, message("OK")).unwrap();
        net.sockets(server, 2).close(at);
        net.run(Duration::from_millis(1));
        assert_eq!(net.events(1), [received("OK"), SocketEvent::Closed]);
    }
}

#[test]
fn both_directions_of_a_connection_are_remembered() {
    let (mut net, client, _, from) = pair(0, 0);
    net.connect(client, 1, (SERVICE, 80)).unwrap();
    net.run(Duration::from_millis(1));
    let flows = net.machines[0].flows(NamespaceId::HOST, net.now);
    let texts: Vec<String> = flows.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [format!(
            "tcp 6 src={from} dst={SERVICE} sport=32768 dport=80 src=10.244.1.3 dst={from} \
             sport=8080 dport=32768"
        )]
    );
}

#[test]
fn a_pod_reaches_itself_through_its_service() {
    let mut net = Net::new(1);
    let (pod, address) = net.pod(0);
    with_service(&mut net, &[address], false);
    net.listen(pod, 2, 8080);
    net.connect(pod, 1, (SERVICE, 80)).unwrap();
    net.run(Duration::from_millis(50));
    assert_eq!(net.events(1), [SocketEvent::Connected]);
    let bridge = Ipv4Addr::new(10, 244, 1, 1);
    assert_eq!(net.accepted(2).1.ip(), &bridge, "the source is the bridge's, or it would not do");
}

#[test]
fn a_host_reaches_a_service_with_its_own_address_rewritten() {
    for server_at in [0, 1] {
        let (mut net, _, _, _) = pair(0, server_at);
        net.connect((0, NamespaceId::HOST), 1, (SERVICE, 80)).unwrap_err();
        // 10.96.0.0/12 has a route only with a default gateway, as machines have.
        let route = crate::Route {
            destination: "0.0.0.0/0".parse().unwrap(),
            gateway: Some(Ipv4Addr::new(192, 168, 0, 254)),
            device: "eth0".into(),
            onlink: false,
            source: None,
        };
        net.machines[0].add_route(NamespaceId::HOST, route).unwrap();
        net.connect((0, NamespaceId::HOST), 1, (SERVICE, 80)).unwrap();
        net.run(Duration::from_millis(50));
        assert_eq!(net.events(1), [SocketEvent::Connected]);
        let want = [Ipv4Addr::new(10, 244, 1, 1), Ipv4Addr::new(10, 244, 1, 0)][server_at];
        assert_eq!(net.accepted(2).1.ip(), &want);
    }
}

#[test]
fn a_node_port_is_reached_on_every_machine_from_outside() {
    for (node, server_at) in [(0, 0), (0, 1), (1, 1)] {
        let mut net = Net::new(3);
        let (server, address) = net.pod(server_at);
        with_service(&mut net, &[address], false);
        net.listen(server, 2, 8080);
        let to = net.machines[node].address_of(NamespaceId::HOST);
        net.connect((2, NamespaceId::HOST), 1, (to, 30080)).unwrap();
        net.run(Duration::from_millis(50));
        assert_eq!(net.events(1), [SocketEvent::Connected], "{node} {server_at}");
        net.accepted(2);
    }
}

#[test]
fn a_node_port_is_reached_from_the_machine_itself_and_from_pods() {
    for server_at in [0, 1] {
        let mut net = Net::new(2);
        let (server, address) = net.pod(server_at);
        let (client, _) = net.pod(0);
        with_service(&mut net, &[address], false);
        net.machines[0].set_route_localnet(NamespaceId::HOST, true);
        net.listen(server, 2, 8080);
        let node = net.machines[0].address_of(NamespaceId::HOST);
        let host = (0, NamespaceId::HOST);
        let ways = [(host, node), (host, Ipv4Addr::LOCALHOST), (client, node), (server, node)];
        for (number, (from, to)) in ways.into_iter().enumerate() {
            let owner = 10 + number as u64;
            let socket = net.connect(from, owner, (to, 30080)).unwrap();
            net.run(Duration::from_millis(20));
            assert_eq!(net.events(owner), [SocketEvent::Connected], "{server_at} {from:?} {to}");
            let at = net.accepted(2).0;
            net.sockets(server, 2).send(at, message("hello")).unwrap();
            net.run(Duration::from_millis(1));
            assert_eq!(net.events(owner), [received("hello")]);
            net.sockets(from, owner).close(socket);
        }
    }
}

/// Each rule wants the mark that the one before it set.
#[test]
fn hooks_and_tables_are_asked_in_linuxs_order() {
    const FORWARDED: [(&str, &str); 7] = [
        ("raw", "PREROUTING"),
        ("mangle", "PREROUTING"),
        ("nat", "PREROUTING"),
        ("mangle", "FORWARD"),
        ("filter", "FORWARD"),
        ("mangle", "POSTROUTING"),
        ("nat", "POSTROUTING"),
    ];
    const RECEIVED: [(&str, &str); 6] = [
        ("raw", "PREROUTING"),
        ("mangle", "PREROUTING"),
        ("nat", "PREROUTING"),
        ("mangle", "INPUT"),
        ("filter", "INPUT"),
        ("nat", "INPUT"),
    ];
    const SENT: [(&str, &str); 6] = [
        ("raw", "OUTPUT"),
        ("mangle", "OUTPUT"),
        ("nat", "OUTPUT"),
        ("filter", "OUTPUT"),
        ("mangle", "POSTROUTING"),
        ("nat", "POSTROUTING"),
    ];
    for order in [&FORWARDED[..], &RECEIVED[..], &SENT[..]] {
        let mut net = Net::new(2);
        let ((pod, _), (_, other)) = (net.pod(0), net.pod(1));
        let node = net.machines[0].address_of(NamespaceId::HOST);
        let (from, to) = match order[3].1 {
            "FORWARD" => (pod, other),
            "INPUT" => (pod, node),
            _ => ((0, NamespaceId::HOST), other),
        };
        for (step, (table, chain)) in order.iter().enumerate() {
            let next = step + 1;
            let rule = format!(
                "*{table}\n-A {chain} -p tcp --dport 9 -m mark --mark {step} -j MARK --set-xmark \
                 {next}\nCOMMIT\n"
            );
            net.machines[0].restore(NamespaceId::HOST, &rule, true).unwrap();
        }
        net.connect(from, 1, (to, 9)).unwrap();
        net.run(Duration::from_millis(10));
        let text = net.machines[0].save(NamespaceId::HOST, None, true);
        let counted = text.lines().filter(|line| line.starts_with("[1:")).count();
        assert_eq!(counted, order.len(), "{text}");
    }
}

#[test]
fn a_service_without_endpoints_refuses_and_the_rule_is_named() {
    let mut net = Net::new(1);
    let (client, _) = net.pod(0);
    with_service(&mut net, &[], false);
    net.trace.set_explain(true);
    // One run tells the machine that it is traced.
    net.run(Duration::from_millis(1));
    net.machines[0].advance(net.now, &mut net.trace);
    let host = crate::Route {
        destination: Cidr::host(SERVICE),
        gateway: None,
        device: "eth0".into(),
        onlink: false,
        source: None,
    };
    net.machines[0].add_route(NamespaceId::HOST, host).unwrap();
    net.connect(client, 1, (SERVICE, 80)).unwrap();
    net.run(Duration::from_millis(1));
    assert_eq!(net.events(1), [SocketEvent::Refused]);
    let rejected = net.trace.records().find_map(|record| match &record.what {
        What::PacketHop { verdict: Verdict::Rejected, rule, .. } => rule.clone(),
        _ => None,
    });
    assert_eq!(
        rejected.as_deref(),
        Some(
            "filter: -A KUBE-SERVICES -d 10.96.0.10/32 -p tcp -m comment --comment \"a/b:http has \
             no endpoints\" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable"
        )
    );
    assert!(net.machines[0].flows(NamespaceId::HOST, net.now).is_empty());
}

#[test]
fn connections_are_spread_evenly_and_affinity_keeps_them_together() {
    for affinity in [false, true] {
        let mut net = Net::new(1);
        let (client, _) = net.pod(0);
        let servers: Vec<(Place, Ipv4Addr)> = (0..4).map(|_| net.pod(0)).collect();
        let addresses: Vec<Ipv4Addr> = servers.iter().map(|(_, address)| *address).collect();
        with_service(&mut net, &addresses, affinity);
        for (number, (server, _)) in servers.iter().enumerate() {
            net.listen(*server, 10 + number as u64, 8080);
        }
        for _ in 0..200 {
            net.connect(client, 1, (SERVICE, 80)).unwrap();
            net.run(Duration::from_millis(10));
        }
        let mut counts = BTreeMap::new();
        for (_, ready) in &net.told {
            if matches!(ready.event, SocketEvent::Accepted { .. }) {
                *counts.entry(ready.owner.0).or_insert(0) += 1;
            }
        }
        if affinity {
            assert_eq!(counts.values().copied().collect::<Vec<i32>>(), [200]);
        } else {
            assert!(counts.len() == 4 && counts.values().all(|count| (30..70).contains(count)));
        }
    }
}

#[test]
fn affinity_ends_after_its_time() {
    let mut net = Net::new(1);
    let (client, _) = net.pod(0);
    let addresses: Vec<Ipv4Addr> = (0..8).map(|_| net.pod(0).1).collect();
    with_service(&mut net, &addresses, true);
    let mut chosen = Vec::new();
    for wait in [10_000, 10_700, 10_900, 10_900, 10_900, 10_900] {
        net.connect(client, 1, (SERVICE, 80)).unwrap();
        net.run(Duration::from_secs(1));
        let flows = net.machines[0].flows(NamespaceId::HOST, net.now);
        chosen.push(flows.last().unwrap().reply_source.0);
        net.run(Duration::from_secs(wait));
    }
    assert!(chosen[0] == chosen[1] && chosen[1] == chosen[2], "{chosen:?}");
    assert!(chosen.iter().any(|endpoint| *endpoint != chosen[0]), "{chosen:?}");
}

#[test]
fn a_connection_stays_where_it_is_when_endpoints_change() {
    let (mut net, client, server, _) = pair(0, 1);
    let socket = net.connect(client, 1, (SERVICE, 80)).unwrap();
    net.run(Duration::from_millis(50));
    let (_, other) = net.pod(1);
    with_service(&mut net, &[other], false);
    net.events(1);
    net.events(2);
    net.sockets(client, 1).send(socket, message("still you?")).unwrap();
    net.run(Duration::from_millis(10));
    assert_eq!(net.events(2), [received("still you?")]);
    // A new one goes to the new endpoint, where nobody listens.
    net.connect(client, 3, (SERVICE, 80)).unwrap();
    net.run(Duration::from_millis(10));
    assert_eq!(net.events(3), [SocketEvent::Refused]);
    let _ = server;
}

#[test]
fn udp_flows_end_and_can_be_forgotten() {
    let mut net = Net::new(1);
    let (client, _) = net.pod(0);
    let (server, address) = net.pod(0);
    let rules = format!(
        "*nat\n-A PREROUTING -d {SERVICE} -p udp --dport 53 -j DNAT --to-destination \
         {address}:53\nCOMMIT\n"
    );
    net.machines[0].restore(NamespaceId::HOST, &rules, true).unwrap();
    let at = net.sockets(server, 2).listen(TransportProtocol::Udp, None, 53).unwrap();
    let socket = net.sockets(client, 1).listen(TransportProtocol::Udp, None, 0).unwrap();
    let to = SocketAddrV4::new(SERVICE, 53);
    let host = NamespaceId::HOST;
    net.sockets(client, 1).send_to(socket, to, message("?")).unwrap();
    net.run(Duration::from_secs(29));
    assert_eq!(net.machines[0].flows(host, net.now).len(), 1);
    net.run(Duration::from_secs(2));
    assert_eq!(net.machines[0].flows(host, net.now).len(), 0, "30 s without an answer");
    net.sockets(client, 1).send_to(socket, to, message("?")).unwrap();
    net.run(Duration::from_millis(1));
    let SocketEvent::Datagram { from, .. } = net.events(2).pop().unwrap() else { panic!() };
    net.sockets(server, 2).send_to(at, from, message("!")).unwrap();
    net.run(Duration::from_secs(119));
    let answer = SocketEvent::Datagram { from: to, payload: message("!") };
    assert_eq!(net.events(1), [answer], "it comes from where it was asked");
    assert_eq!(net.machines[0].flows(host, net.now).len(), 1, "120 s with one");
    let now = net.now;
    assert_eq!(net.machines[0].delete_flows(host, now, |flow| flow.destination.1 == 53), 1);
    assert_eq!(net.machines[0].flows(host, now).len(), 0);
}

#[test]
fn an_error_for_a_rewritten_connection_reaches_who_sent_it() {
    // The endpoint's machine has no such pod: its router says that the host is unreachable.
    let mut net = Net::new(2);
    let (client, _) = net.pod(0);
    let gone = Ipv4Addr::new(10, 244, 2, 77);
    with_service(&mut net, &[gone], false);
    net.connect(client, 1, (SERVICE, 80)).unwrap();
    net.run(Duration::from_millis(3_500));
    assert_eq!(net.events(1), [SocketEvent::Unreachable]);
}

#[test]
fn two_pods_behind_one_address_are_told_apart() {
    let mut net = Net::new(2);
    let (first, _) = net.pod(0);
    let (second, _) = net.pod(0);
    let rule = "*nat\n-A POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE\nCOMMIT\n";
    net.machines[0].restore(NamespaceId::HOST, rule, true).unwrap();
    net.listen((1, NamespaceId::HOST), 2, 80);
    let to = net.machines[1].address_of(NamespaceId::HOST);
    for (owner, pod) in [(5, first), (6, second)] {
        net.connect(pod, owner, (to, 80)).unwrap();
        let echo = net.sockets(pod, owner + 10).open_echo().unwrap();
        net.sockets(pod, owner + 10).send_echo(echo, to, 1, 64).unwrap();
    }
    net.run(Duration::from_millis(10));
    for owner in [5, 6] {
        assert_eq!(net.events(owner), [SocketEvent::Connected], "{owner}");
        let answers = net.events(owner + 10);
        assert!(matches!(answers[..], [SocketEvent::Icmp { kind: 0, .. }]), "{answers:?}");
    }
    let node = net.machines[0].address_of(NamespaceId::HOST);
    let peers: Vec<SocketAddrV4> = net
        .events(2)
        .iter()
        .filter_map(|event| match event {
            SocketEvent::Accepted { peer, .. } => Some(*peer),
            _ => None,
        })
        .collect();
    assert!(peers.iter().all(|peer| *peer.ip() == node));
    assert_ne!(peers[0].port(), peers[1].port());
}

#[test]
fn a_policy_of_drop_lets_nothing_through() {
    let (mut net, client, _, _) = pair(0, 1);
    let text = "*filter\n:FORWARD DROP [0:0]\nCOMMIT\n";
    net.machines[0].restore(NamespaceId::HOST, text, true).unwrap();
    net.connect(client, 1, (SERVICE, 80)).unwrap();
    net.run(Duration::from_millis(100));
    assert_eq!(net.events(1), []);
    let dropped = net.trace.records().find_map(|record| match &record.what {
        What::PacketHop { verdict: Verdict::Dropped, rule, .. } => rule.clone(),
        _ => None,
    });
    // The record of what was sent before the first advance is missing: the second SYN's is not.
    net.run(Duration::from_secs(1));
    let dropped = dropped.or_else(|| {
        net.trace.records().find_map(|record| match &record.what {
            What::PacketHop { verdict: Verdict::Dropped, rule, .. } => rule.clone(),
            _ => None,
        })
    });
    assert_eq!(dropped.as_deref(), Some("filter: policy of FORWARD"));
}

#[test]
fn rules_count_what_they_see() {
    let (mut net, client, _, _) = pair(0, 1);
    net.connect(client, 1, (SERVICE, 80)).unwrap();
    net.run(Duration::from_millis(10));
    let text = net.machines[0].save(NamespaceId::HOST, Some(TableName::Nat), true);
    let line = text.lines().find(|line| line.contains("--to-destination")).unwrap();
    assert!(line.starts_with("[1:40] "), "{line}");
    // A rule beside it leaves it as it is; a flush begins anew.
    let host = NamespaceId::HOST;
    let more = "*nat\n-I KUBE-SEP-0 -j RETURN\nCOMMIT\n";
    net.machines[0].restore(host, more, true).unwrap();
    let text = net.machines[0].save(host, Some(TableName::Nat), true);
    assert!(text.contains("[1:40] -A KUBE-SEP-0 -p tcp"), "{text}");
    assert!(text.contains("[0:0] -A KUBE-SEP-0 -j RETURN"), "{text}");
    let again = service(&[Ipv4Addr::new(10, 244, 2, 2)], false);
    net.machines[0].restore(host, &again, true).unwrap();
    let text = net.machines[0].save(host, Some(TableName::Nat), true);
    assert!(!text.contains("[1:40] -A KUBE-SEP-0"), "{text}");
}
