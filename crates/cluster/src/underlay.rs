//! The cable between the machines: one link that all are connected to, on which a frame takes a
//! moment. What one machine sends arrives in the order in which it was sent.

use network::{Frame, Ipv4Packet, MacAddress, Transport};
use sim::{Digest, Digestible, Duration, OrdMap, Stream, Time};

/// How long a frame is under way: at least and at most.
const LATENCY: (Duration, Duration) = (Duration::from_micros(150), Duration::from_micros(250));

/// A machine's end of the cable.
#[derive(Clone, Debug)]
struct Port {
    owner: u32,
    stream: Stream,
    /// When the frame arrives that was sent last.
    last_arrival: Time,
}

/// The link.
#[derive(Clone, Debug)]
pub(crate) struct Underlay {
    ports: OrdMap<MacAddress, Port>,
}

impl Underlay {
    /// The link of those machines, each with the component that it is.
    pub(crate) fn new(seed: u64, machines: impl Iterator<Item = (u32, MacAddress)>) -> Self {
        let port = |(owner, address): (u32, MacAddress)| {
            let stream = Stream::new(seed, &format!("underlay/{address}"));
            (address, Port { owner, stream, last_arrival: Time::ZERO })
        };
        Underlay { ports: machines.map(port).collect() }
    }

    /// When a frame that is sent now arrives, where it does so last, and where before that. A
    /// frame for a station that is not on the link arrives nowhere.
    pub(crate) fn send(&mut self, now: Time, frame: &Frame) -> Option<(Time, u32, Vec<u32>)> {
        let mut others = Vec::new();
        let last = match frame.destination {
            MacAddress::BROADCAST => {
                let ports = self.ports.iter().filter(|(address, _)| **address != frame.source);
                others.extend(ports.map(|(_, port)| port.owner));
                others.pop()?
            }
            destination => self.ports.get(&destination)?.owner,
        };
        let port = self.ports.get_mut(&frame.source)?;
        let arrival = now + port.stream.between(LATENCY.0, LATENCY.1);
        port.last_arrival = port.last_arrival.max(arrival);
        Some((port.last_arrival, last, others))
    }
}

impl Digestible for Underlay {
    fn digest(&self, digest: &mut Digest) {
        for port in self.ports.values() {
            digest.add(&port.stream);
            digest.add(&port.last_arrival);
        }
    }
}

/// Adds what a frame is.
pub(crate) fn digest_frame(frame: &Frame, digest: &mut Digest) {
    digest.bytes(&frame.source.0);
    digest.bytes(&frame.destination.0);
    digest_packet(&frame.packet, digest);
}

fn digest_packet(packet: &Ipv4Packet, digest: &mut Digest) {
    digest.u64(packet.id);
    digest.u64(u64::from(u32::from(packet.source)));
    digest.u64(u64::from(u32::from(packet.destination)));
    digest.u64(u64::from(packet.time_to_live));
    match packet.transport {
        Transport::Tcp { source, destination, flags, sequence, acknowledgement } => {
            digest.u64(6);
            for port in [source, destination] {
                digest.u64(u64::from(port));
            }
            for flag in [flags.syn, flags.ack, flags.fin, flags.rst] {
                digest.bool(flag);
            }
            digest.add(&sequence);
            digest.add(&acknowledgement);
        }
        Transport::Udp { source, destination } => {
            digest.u64(17);
            for port in [source, destination] {
                digest.u64(u64::from(port));
            }
        }
        Transport::Icmp { kind, code, identifier, sequence } => {
            digest.u64(1);
            for part in [u16::from(kind), u16::from(code), identifier, sequence] {
                digest.u64(u64::from(part));
            }
        }
    }
    digest.add(&packet.payload);
    digest.add(&packet.mark);
    digest.bool(packet.encapsulated.is_some());
    if let Some(inner) = &packet.encapsulated {
        digest_frame(inner, digest);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use network::{Payload, TcpFlags};

    use super::*;

    fn frame(from: u8, destination: MacAddress) -> Frame {
        let address = |last: u8| Ipv4Addr::new(172, 18, 0, last);
        let packet = Ipv4Packet {
            id: 1,
            source: address(from),
            destination: address(9),
            time_to_live: 64,
            transport: Transport::Tcp {
                source: 1,
                destination: 2,
                flags: TcpFlags::default(),
                sequence: 0,
                acknowledgement: 0,
            },
            payload: Payload::Empty,
            encapsulated: None,
            mark: 0,
        };
        Frame { source: MacAddress::of(address(from)), destination, packet }
    }

    fn link() -> Underlay {
        let machine = |last: u8| (u32::from(last), MacAddress::of(Ipv4Addr::new(172, 18, 0, last)));
        Underlay::new(1, [2, 3, 4].into_iter().map(machine))
    }

    #[test]
    fn frames_of_one_machine_arrive_in_order() {
        let mut link = link();
        let to = MacAddress::of(Ipv4Addr::new(172, 18, 0, 3));
        let mut last = Time::ZERO;
        for nanos in 0..200 {
            let now = Time::from_nanos(nanos);
            let (arrival, receiver, others) = link.send(now, &frame(2, to)).expect("it arrives");
            assert_eq!((receiver, others.len()), (3, 0));
            assert!(arrival >= last && arrival >= now + LATENCY.0);
            last = arrival;
        }
        assert!(last <= Time::from_nanos(200) + LATENCY.1);
    }

    #[test]
    fn a_broadcast_reaches_all_others_and_an_unknown_station_nobody() {
        let mut link = link();
        let (_, last, others) =
            link.send(Time::ZERO, &frame(3, MacAddress::BROADCAST)).expect("it arrives");
        assert_eq!((others, last), (vec![2], 4));
        let nowhere = MacAddress::of(Ipv4Addr::new(172, 18, 0, 200));
        assert_eq!(link.send(Time::ZERO, &frame(3, nowhere)), None);
    }

    #[test]
    fn frames_that_differ_digest_differently() {
        let fingerprint = |frame: &Frame| {
            let mut digest = Digest::new();
            digest_frame(frame, &mut digest);
            digest.finish()
        };
        let plain = frame(2, MacAddress::BROADCAST);
        let mut marked = plain.clone();
        marked.packet.mark = 1;
        let mut tunnelled = plain.clone();
        tunnelled.packet.encapsulated = Some(Box::new(marked.clone()));
        let all = [fingerprint(&plain), fingerprint(&marked), fingerprint(&tunnelled)];
        assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2]);
    }
}
