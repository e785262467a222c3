//! What CNI plugins set up.

use std::net::Ipv4Addr;

use sim::Duration;

use super::*;
use crate::{PortMapping, TableName, TransportProtocol};

#[test]
fn a_host_port_leads_to_its_pod_from_everywhere() {
    let mut net = Net::new(2);
    let (pod, address) = net.pod(0);
    let (neighbour, _) = net.pod(0);
    let (far, _) = net.pod(1);
    let mapping = PortMapping {
        protocol: TransportProtocol::Tcp,
        host_address: None,
        host_port: 8080,
        container_port: 80,
    };
    net.machines[0].add_port_mappings("sandbox", address, &[mapping]).unwrap();
    net.listen(pod, 2, 80);
    let node = net.machines[0].address_of(NamespaceId::HOST);
    let clients = [
        (pod, node),
        (neighbour, node),
        (far, node),
        ((0, NamespaceId::HOST), node),
        ((0, NamespaceId::HOST), Ipv4Addr::LOCALHOST),
        ((1, NamespaceId::HOST), node),
    ];
    for (number, (client, to)) in clients.into_iter().enumerate() {
        let owner = 10 + number as u64;
        net.connect(client, owner, (to, 8080)).unwrap();
        net.run(Duration::from_millis(20));
        assert_eq!(net.events(owner), [SocketEvent::Connected], "{client:?} {to}");
    }
    let now = net.now;
    net.machines[0].remove_port_mappings("sandbox", &[mapping], now);
    net.connect(far, 50, (node, 8080)).unwrap();
    net.run(Duration::from_millis(20));
    assert_eq!(net.events(50), [SocketEvent::Refused]);
    let text = net.machines[0].save(NamespaceId::HOST, Some(TableName::Nat), false);
    assert!(!text.contains("CNI-DN-"), "{text}");
}

#[test]
fn flannel_gives_packets_that_leave_the_cluster_the_machines_address() {
    let mut net = Net::new(3);
    let cluster = "10.244.0.0/16".parse().unwrap();
    for _ in 0..2 {
        for machine in &mut net.machines {
            let pods = machine.pod_range().unwrap();
            machine.add_flannel_rules(cluster, pods);
        }
    }
    let text = net.machines[0].save(NamespaceId::HOST, Some(TableName::Nat), false);
    assert_eq!(text.matches("FLANNEL-POSTRTG").count(), 1 + 1 + 6, "once each: {text}");
    let (client, from) = net.pod(0);
    let (server, to) = net.pod(1);
    net.listen(server, 2, 80);
    net.listen((2, NamespaceId::HOST), 3, 80);
    net.connect(client, 1, (to, 80)).unwrap();
    net.run(Duration::from_millis(50));
    assert_eq!(net.accepted(2).1.ip(), &from, "within the cluster pods keep theirs");
    let outside = net.machines[2].address_of(NamespaceId::HOST);
    net.connect(client, 1, (outside, 80)).unwrap();
    net.run(Duration::from_millis(50));
    assert_eq!(net.accepted(3).1.ip(), &net.machines[0].address_of(NamespaceId::HOST));
}

#[test]
fn the_plugins_fail_in_their_own_words() {
    let mut machine = Machine::new(MachineOptions {
        name: "node-1".to_string(),
        address: "192.168.0.1/24".parse().unwrap(),
    });
    assert_eq!(
        machine.add_pod("a").unwrap_err(),
        "plugin type=\"flannel\" failed (add): loadFlannelSubnetEnv failed: open \
         /run/flannel/subnet.env: no such file or directory"
    );
    machine.set_pod_range("10.244.7.0/30".parse().unwrap());
    machine.add_pod("a").unwrap();
    assert_eq!(
        machine.add_pod("b").unwrap_err(),
        "plugin type=\"flannel\" failed (add): failed to delegate add: failed to allocate for \
         range 0: no IP addresses available in range set: 10.244.7.1-10.244.7.2"
    );
}
