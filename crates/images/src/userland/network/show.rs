//! Commands that show the network as it is: `ip`, `iptables-save`, `conntrack -L`.

use network::TableName;
use runtime::Io;

use crate::userland::{Invocation, Outcome};

/// Runs one of them; `None` if it is none.
pub(crate) fn show(
    name: &str,
    args: &[String],
    invocation: &mut Invocation,
    io: &Io<'_>,
) -> Option<Outcome> {
    let (machine, namespace) = (&io.network.machine, io.network.namespace);
    let text = match name {
        "ip" => ip(args, io)?,
        "iptables-save" => {
            let table = args.iter().position(|word| word == "-t").and_then(|at| args.get(at + 1));
            let table = table.and_then(|wanted| {
                let known = ["raw", "mangle", "nat", "filter"].iter().zip([
                    TableName::Raw,
                    TableName::Mangle,
                    TableName::Nat,
                    TableName::Filter,
                ]);
                known.filter(|(name, _)| *name == wanted).map(|(_, table)| table).next()
            });
            machine.save(namespace, table, args.iter().any(|word| word == "-c"))
        }
        "conntrack" => {
            let flows = machine.flows(namespace, io.now);
            flows.iter().map(|flow| format!("{flow}\n")).collect()
        }
        _ => return None,
    };
    invocation.out = text;
    Some(Outcome::Done(0))
}

/// Upstream: busybox, networking/ip.c.
fn ip(args: &[String], io: &Io<'_>) -> Option<String> {
    let (machine, namespace) = (&io.network.machine, io.network.namespace);
    let what = args.iter().find(|word| !word.starts_with('-')).map_or("", String::as_str);
    let lines: Vec<String> = match what {
        "a" | "addr" | "address" => {
            let address = io.network.address();
            return Some(format!(
                "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue qlen 1000\n    link/loopback \
                 00:00:00:00:00:00 brd 00:00:00:00:00:00\n    inet 127.0.0.1/8 scope host lo\n2: \
                 eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue\n    inet \
                 {address} scope global eth0\n"
            ));
        }
        "r" | "route" => machine.routes(namespace).iter().rev().map(ToString::to_string).collect(),
        "n" | "neigh" | "neighbour" => machine.neighbours(namespace),
        _ => return None,
    };
    Some(lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect())
}
