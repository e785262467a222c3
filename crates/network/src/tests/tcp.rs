//! What TCP does.

use sim::{Digest, Duration, Stream};

use super::*;
use crate::Transport;

/// The kinds of all segments on the cable, by who sent them.
fn segments(net: &Net) -> Vec<String> {
    let inner = net.seen.iter().map(|frame| match &frame.packet.encapsulated {
        Some(frame) => &frame.packet,
        None => &frame.packet,
    });
    inner.map(|packet| format!("{} {}", packet.source.octets()[2], packet.kind())).collect()
}

fn pair() -> (Net, Place, Place, (Ipv4Addr, u16)) {
    let mut net = Net::new(2);
    let (client, _) = net.pod(0);
    let (server, address) = net.pod(1);
    (net, client, server, (address, 80))
}

#[test]
fn a_request_and_its_answer_take_seven_segments() {
    let (mut net, client, server, to) = pair();
    net.listen(server, 2, 80);
    let connection = net.connect(client, 1, to).unwrap();
    let mut taken = connection;
    for _ in 0..40 {
        net.run(Duration::from_micros(50));
        for event in net.events(1) {
            match event {
                SocketEvent::Connected => {
                    net.sockets(client, 1).send(connection, message("GET")).unwrap();
                }
                SocketEvent::Received(_) | SocketEvent::Closed => {
                    net.sockets(client, 1).close(connection);
                }
                other => panic!("{other:?}"),
            }
        }
        for event in net.events(2) {
            match event {
                SocketEvent::Accepted { connection, .. } => taken = connection,
                SocketEvent::Received(_) => {
                    let mut sockets = net.sockets(server, 2);
                    sockets.send(taken, message("OK")).unwrap();
                    sockets.close(taken);
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(
        segments(&net),
        ["1 SYN", "2 SYN-ACK", "1 3 bytes", "2 2 bytes", "2 FIN", "1 FIN", "2 ACK"]
    );
}

#[test]
fn a_closed_port_refuses() {
    let (mut net, client, _, to) = pair();
    net.connect(client, 1, to).unwrap();
    net.run(Duration::from_millis(1));
    assert_eq!(net.events(1), [SocketEvent::Refused]);
    assert_eq!(segments(&net), ["1 SYN", "2 RST"]);
}

/// Linux: 1 + 2 + 4 + 8 + 16 + 32 + 64 seconds.
#[test]
fn a_connection_that_nobody_answers_times_out_after_127_seconds() {
    let (mut net, client, _, to) = pair();
    net.cut = Some(1);
    net.connect(client, 1, to).unwrap();
    net.run(Duration::from_secs(200));
    let times: Vec<u64> = net.told.iter().map(|(time, _)| time.as_millis()).collect();
    assert_eq!((times, net.events(1)), (vec![127_000], vec![SocketEvent::TimedOut]));
    assert_eq!(net.seen.len(), 7);
}

/// Linux: a first wait of 0.2 seconds that doubles up to 120, fifteen times.
#[test]
fn a_message_that_nobody_confirms_times_out_after_924_seconds() {
    let (mut net, client, server, to) = pair();
    let (connection, _) = net.established(client, server, to);
    net.cut = Some(1);
    let start = net.now;
    net.sockets(client, 1).send(connection, message("hello?")).unwrap();
    net.run(Duration::from_secs(2000));
    let times: Vec<Duration> = net.told.iter().map(|(time, _)| *time - start).collect();
    assert_eq!(times, [Duration::from_millis(924_600)]);
    assert_eq!(net.events(1), [SocketEvent::TimedOut]);
}

#[test]
fn what_was_lost_is_sent_again_and_arrives_once_and_in_order() {
    let (mut net, client, server, to) = pair();
    let (connection, _) = net.established(client, server, to);
    net.cut = Some(1);
    net.sockets(client, 1).send(connection, message("one")).unwrap();
    net.run(Duration::from_millis(150));
    net.cut = None;
    net.sockets(client, 1).send(connection, message("two")).unwrap();
    net.run(Duration::from_millis(10));
    assert_eq!(net.events(2), [], "the second without the first is not taken");
    net.run(Duration::from_secs(2));
    assert_eq!(net.events(2), [received("one"), received("two")]);
}

#[test]
fn a_lost_answer_to_the_handshake_is_sent_again() {
    let (mut net, client, server, to) = pair();
    net.listen(server, 2, 80);
    net.connect(client, 1, to).unwrap();
    net.cut = Some(0);
    net.run(Duration::from_millis(900));
    net.cut = None;
    assert_eq!(net.events(1), []);
    net.run(Duration::from_millis(300));
    assert_eq!(net.events(1), [SocketEvent::Connected]);
    net.accepted(2);
}

#[test]
fn one_side_may_end_before_the_other() {
    let (mut net, client, server, to) = pair();
    let (from, at) = net.established(client, server, to);
    net.sockets(client, 1).shutdown(from);
    net.run(Duration::from_millis(1));
    assert_eq!(net.events(2), [SocketEvent::Closed]);
    assert_eq!(net.sockets(client, 1).send(from, message("x")), Err(SocketError::BrokenPipe));
    net.sockets(server, 2).send(at, message("still here")).unwrap();
    net.sockets(server, 2).close(at);
    net.run(Duration::from_millis(100));
    assert_eq!(net.events(1), [received("still here"), SocketEvent::Closed]);
    assert_eq!(net.machines[1].sockets.len(), 1, "the listener");
}

#[test]
fn a_process_that_ends_closes_in_order_or_resets_what_it_did_not_read() {
    for (unread, want) in [(false, SocketEvent::Closed), (true, SocketEvent::Reset)] {
        let (mut net, client, server, to) = pair();
        let (from, _) = net.established(client, server, to);
        if unread {
            net.sockets(client, 1).send(from, message("unread")).unwrap();
            // It reaches the socket, but the program is not told any more.
            net.deaf = Some(1);
            net.run(Duration::from_millis(1));
            net.deaf = None;
        }
        net.machines[1].close_owner(Owner(2), net.now);
        net.run(Duration::from_millis(1));
        assert_eq!(net.events(1), [want]);
        let refused = net.connect(client, 3, to);
        assert!(refused.is_ok());
        net.run(Duration::from_millis(1));
        assert_eq!(net.events(3), [SocketEvent::Refused]);
    }
}

#[test]
fn data_for_a_closed_socket_is_reset() {
    let (mut net, client, server, to) = pair();
    let (from, at) = net.established(client, server, to);
    net.sockets(server, 2).close(at);
    net.run(Duration::from_millis(1));
    assert_eq!(net.events(1), [SocketEvent::Closed]);
    net.sockets(client, 1).send(from, message("too late")).unwrap();
    net.run(Duration::from_millis(1));
    assert_eq!(net.events(1), [SocketEvent::Reset]);
    assert_eq!(net.sockets(client, 1).send(from, message("x")), Err(SocketError::BrokenPipe));
}

#[test]
fn ports_are_taken_once_and_ephemeral_ports_go_round() {
    let mut net = Net::new(1);
    let (pod, address) = net.pod(0);
    let tcp = TransportProtocol::Tcp;
    net.listen(pod, 1, 80);
    assert_eq!(net.sockets(pod, 1).listen(tcp, None, 80), Err(SocketError::AddressInUse));
    let own = Some(address);
    assert_eq!(net.sockets(pod, 1).listen(tcp, own, 80), Err(SocketError::AddressInUse));
    assert!(net.sockets(pod, 1).listen(TransportProtocol::Udp, None, 80).is_ok());
    assert!(net.sockets(pod, 1).listen(tcp, own, 81).is_ok());
    assert!(net.sockets(pod, 1).listen(tcp, Some(Ipv4Addr::LOCALHOST), 81).is_ok());
    let elsewhere = Some(Ipv4Addr::new(10, 244, 9, 9));
    let error = net.sockets(pod, 1).listen(tcp, elsewhere, 82);
    assert_eq!(error, Err(SocketError::AddressNotAvailable));
    for port in [32768, 32769] {
        net.connect(pod, 5, (Ipv4Addr::LOCALHOST, 80)).unwrap();
        net.run(Duration::from_millis(50));
        assert_eq!(net.accepted(1).1, SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
    }
}

#[test]
fn a_connection_needs_no_more_wakes_once_it_is_over() {
    let (mut net, client, server, to) = pair();
    let (from, at) = net.established(client, server, to);
    net.sockets(client, 1).close(from);
    net.run(Duration::from_millis(1));
    net.sockets(server, 2).close(at);
    net.run(Duration::from_millis(1));
    assert_eq!(net.machines[0].next_wake(), None);
    assert_eq!(net.machines[1].next_wake(), None);
    assert_eq!(net.machines[0].sockets.len(), 0);
    let last = net.seen.iter().rev().find_map(|frame| frame.packet.encapsulated.as_ref());
    let last = last.map(|frame| frame.packet.transport);
    assert!(matches!(last, Some(Transport::Tcp { flags, .. }) if flags.ack && !flags.fin));
}

/// A port pair rests for 60 seconds, but the side that rests may use it again after one.
#[test]
fn ports_are_not_used_up_by_connections_that_rest() {
    let mut net = Net::new(1);
    let (pod, address) = net.pod(0);
    let host = (0, NamespaceId::HOST);
    net.listen(pod, 2, 80);
    for _ in 0..200 {
        let socket = net.connect(host, 1, (address, 80)).unwrap();
        net.run(Duration::from_millis(2));
        net.sockets(host, 1).close(socket);
        for event in net.events(2) {
            if let SocketEvent::Accepted { connection, .. } = event {
                net.sockets(pod, 2).close(connection);
            }
        }
        net.run(Duration::from_millis(2));
    }
    // All of the first 200 ports rest; a round later they are asked for again.
    let all = 60_999 - 32_768 + 1;
    for _ in 0..all - 200 {
        net.machines[0].host.take_port();
    }
    net.run(Duration::from_secs(1));
    net.events(2);
    net.connect(host, 1, (address, 80)).unwrap();
    net.run(Duration::from_millis(50));
    assert_eq!(net.accepted(2).1.port(), 32_768);
}

#[test]
fn a_full_send_buffer_is_reported() {
    let (mut net, client, server, to) = pair();
    let (from, _) = net.established(client, server, to);
    net.cut = Some(1);
    let mut sent = 0;
    let error = loop {
        match net.sockets(client, 1).send(from, message("x")) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        assert!(sent < 100_000, "there is no bound");
    };
    assert_eq!((error, sent), (SocketError::NoBufferSpace, 4096));
}

/// The messages that an owner received.
fn messages(net: &mut Net, owner: u64) -> Vec<String> {
    let events = net.events(owner).into_iter().filter_map(|event| match event {
        SocketEvent::Received(Payload::Bytes(bytes)) => {
            Some(String::from_utf8_lossy(&bytes).into_owned())
        }
        _ => None,
    });
    events.collect()
}

#[test]
fn everything_arrives_once_and_in_order_over_a_bad_cable() {
    for seed in 0..20 {
        let (mut net, client, server, to) = pair();
        let (from, at) = net.established(client, server, to);
        net.lossy = Some((Stream::new(seed, "cable"), 1 + seed % 5));
        let mut random = Stream::new(seed, "senders");
        let (mut said, mut answered) = (Vec::new(), Vec::new());
        for number in 0..60 {
            let text = number.to_string();
            let (place, owner, socket, sent) = match random.below(2) {
                0 => (client, 1, from, &mut said),
                _ => (server, 2, at, &mut answered),
            };
            net.sockets(place, owner).send(socket, message(&text)).unwrap();
            sent.push(text);
            net.run(Duration::from_millis(random.below(300)));
        }
        net.sockets(client, 1).shutdown(from);
        net.lossy = net.lossy.map(|(stream, _)| (stream, 1));
        net.run(Duration::from_secs(600));
        assert_eq!(messages(&mut net, 2), said, "seed {seed}");
        net.sockets(server, 2).close(at);
        net.run(Duration::from_secs(600));
        assert_eq!(messages(&mut net, 1), answered, "seed {seed}");
        net.sockets(client, 1).close(from);
        net.run(Duration::from_secs(600));
        let left: Vec<usize> = net.machines.iter().map(|machine| machine.sockets.len()).collect();
        assert_eq!(left, [0, 1], "only the listener is left, seed {seed}");
        assert!(net.machines.iter().all(|machine| machine.next_wake().is_none()));
    }
}

#[test]
fn it_does_not_matter_in_which_steps_time_passes() {
    let digests = [1, 60].map(|steps: u64| {
        let (mut net, client, server, to) = pair();
        let (from, _) = net.established(client, server, to);
        net.lossy = Some((Stream::new(5, "cable"), 4));
        for number in 0..20 {
            net.sockets(client, 1).send(from, message(&number.to_string())).unwrap();
        }
        for _ in 0..steps {
            net.run(Duration::from_nanos(60_000_000_000 / steps));
        }
        net.machines.iter().map(Digest::of).collect::<Vec<_>>()
    });
    assert_eq!(digests[0], digests[1]);
}
