//! Rules in and out as text, and long chains by their index.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use sim::Stream;

use super::*;
use crate::{MachineOptions, NamespaceId, Payload, TcpFlags, Transport};

/// Lines as a program writes them, and as `iptables-save` prints them (iptables 1.8.9).
const RULES: [(&str, &str); 24] = [
    (
        r#"-m comment --comment "a/b:c cluster IP" -m tcp -p tcp -d 10.20.30.41 --dport 80 -j KUBE-X"#,
        r#"-d 10.20.30.41/32 -p tcp -m comment --comment "a/b:c cluster IP" -m tcp --dport 80 -j KUBE-X"#,
    ),
    ("! -s 10.0.0.7/8 -j KUBE-X", "! -s 10.0.0.0/8 -j KUBE-X"),
    ("-m comment --comment plain_word-1 -j KUBE-X", "-m comment --comment plain_word-1 -j KUBE-X"),
    (
        r#"-m comment --comment "say \"hi\"" -j KUBE-X"#,
        r#"-m comment --comment "say \"hi\"" -j KUBE-X"#,
    ),
    (
        "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    ),
    (
        "-m conntrack ! --ctstate ESTABLISHED,RELATED,DNAT -j DROP",
        "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP",
    ),
    ("-m conntrack --ctstate NEW,INVALID", "-m conntrack --ctstate INVALID,NEW"),
    (
        "-m statistic --mode random --probability 0.5000000000 -j KUBE-X",
        "-m statistic --mode random --probability 0.50000000000 -j KUBE-X",
    ),
    (
        "-m statistic --mode random --probability 0.3333333333 -j KUBE-X",
        "-m statistic --mode random --probability 0.33333333349 -j KUBE-X",
    ),
    ("-m addrtype --dst-type LOCAL -j KUBE-X", "-m addrtype --dst-type LOCAL -j KUBE-X"),
    ("-m addrtype ! --src-type LOCAL -j KUBE-X", "-m addrtype ! --src-type LOCAL -j KUBE-X"),
    ("-m mark ! --mark 0x4000/0x4000 -j RETURN", "-m mark ! --mark 0x4000/0x4000 -j RETURN"),
    ("-m mark --mark 16384", "-m mark --mark 0x4000"),
    ("-j MARK --or-mark 0x4000", "-j MARK --set-xmark 0x4000/0x4000"),
    ("-j MARK --xor-mark 0x4000", "-j MARK --set-xmark 0x4000/0x0"),
    ("-j MARK --set-mark 0x1/0x3", "-j MARK --set-xmark 0x1/0x3"),
    (
        "-m recent --name KUBE-SEP-1 --rcheck --seconds 10800 --reap -j KUBE-X",
        "-m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-1 --mask 255.255.255.255 --rsource -j KUBE-X",
    ),
    (
        "-m recent --name KUBE-SEP-1 --set -j KUBE-X",
        "-m recent --set --name KUBE-SEP-1 --mask 255.255.255.255 --rsource -j KUBE-X",
    ),
    ("-i cni0 ! -o veth+ -j ACCEPT", "-i cni0 ! -o veth+ -j ACCEPT"),
    (
        "-p udp --sport 1000:2000 ! --dport 53 -j DROP",
        "-p udp -m udp --sport 1000:2000 ! --dport 53 -j DROP",
    ),
    (
        "-p tcp -m multiport --destination-ports 80,443:445 -j KUBE-X",
        "-p tcp -m multiport --dports 80,443:445 -j KUBE-X",
    ),
    ("-p icmp -j REJECT", "-p icmp -j REJECT --reject-with icmp-port-unreachable"),
    ("-p tcp -j REJECT --reject-with tcp-reset", "-p tcp -j REJECT --reject-with tcp-reset"),
    ("", ""),
];

#[test]
fn rules_are_read_and_printed_as_the_real_tool_does() {
    for (text, want) in RULES {
        let rule: Rule = text.parse().unwrap();
        assert_eq!(rule.to_string().trim_start(), want, "{text}");
        assert_eq!(want.parse::<Rule>(), Ok(rule), "{want}");
    }
    for (text, want) in [
        ("-j DNAT --to-destination 10.244.1.2:80", "-j DNAT --to-destination 10.244.1.2:80"),
        ("-j MASQUERADE --random-fully", "-j MASQUERADE --random-fully"),
        ("-j SNAT --to-source 1.2.3.4", "-j SNAT --to-source 1.2.3.4"),
    ] {
        assert_eq!(text.parse::<Rule>().unwrap().to_string().trim_start(), want);
    }
}

#[test]
fn quotes_hold_words_together_however_they_are_written() {
    for (text, comment) in [
        (r#"-m comment --comment "two words" -j DROP"#, "two words"),
        (r#"-m comment --comment two" words" -j DROP"#, "two words"),
        (r#"-m comment --comment "a \"b\" \\c" -j DROP"#, r#"a "b" \c"#),
        (r#"-m comment --comment "" -j DROP"#, ""),
        (r#"-m comment --comment "x"y -j DROP"#, "xy"),
        (r"-m   comment  --comment  plain\  -j DROP ", r"plain\"),
    ] {
        let rule: Rule = text.parse().unwrap();
        assert_eq!(rule.matches, [Match::Comment(comment.into())], "{text}");
        assert_eq!(rule.target, Some(Target::Drop), "{text}");
    }
    assert!(r#"-m comment --comment "open -j DROP"#.parse::<Rule>().is_err());
}

#[test]
fn what_is_not_understood_is_refused_with_its_line() {
    for (text, line, message) in [
        (
            "*nat\n-A PREROUTING -j NOWHERE\nCOMMIT\n",
            0,
            "Couldn't load target `NOWHERE':No such file or directory",
        ),
        (
            "*nat\n-A PREROUTING -m bpf\nCOMMIT\n",
            2,
            "Couldn't load match `bpf':No such file or directory",
        ),
        ("*nat\n-A PREROUTING -d 10.0.0.300\nCOMMIT\n", 2, "host/network `10.0.0.300' not found"),
        ("*nat\n-A NOWHERE -j ACCEPT\nCOMMIT\n", 0, "Chain 'NOWHERE' does not exist"),
        ("-A PREROUTING\n", 1, "no command specified"),
        ("*nat\n-A PREROUTING --bogus\nCOMMIT\n", 2, "unknown option \"--bogus\""),
        ("*nat\n", 1, "COMMIT expected"),
        ("*nat\n-A PREROUTING -j\nCOMMIT\n", 2, "option \"-j\" requires an argument"),
    ] {
        let error = Netfilter::new().restore(text, true).unwrap_err();
        assert_eq!((error.line, error.message.as_str()), (line, message), "{text}");
    }
}

fn saved(filter: &Netfilter, table: TableName) -> String {
    let mut text = String::new();
    filter.table(table).save(false, &mut text);
    text
}

#[test]
fn with_noflush_only_declared_chains_are_emptied_and_all_or_nothing_happens() {
    let mut filter = Netfilter::new();
    let first =
        "*nat\n:A - [0:0]\n:B - [0:0]\n-A PREROUTING -j A\n-A A -j B\n-A B -j ACCEPT\nCOMMIT\n";
    filter.restore(first, true).unwrap();
    filter.restore("*nat\n:B - [0:0]\n-A B -j RETURN\nCOMMIT\n", true).unwrap();
    let want = "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n\
                :POSTROUTING ACCEPT [0:0]\n:A - [0:0]\n:B - [0:0]\n-A PREROUTING -j A\n-A A -j B\n\
                -A B -j RETURN\nCOMMIT\n";
    assert_eq!(saved(&filter, TableName::Nat), want);
    for refused in ["*nat\n:A - [0:0]\n-A A -j NOPE\nCOMMIT\n", "*nat\n:A - [0:0]\n-X B\nCOMMIT\n"]
    {
        filter.restore(refused, true).unwrap_err();
        assert_eq!(saved(&filter, TableName::Nat), want, "{refused}");
    }
    filter.restore("*nat\n:B - [0:0]\n:A - [0:0]\n-X B\nCOMMIT\n", true).unwrap();
    assert!(!filter.table(TableName::Nat).has_chain("B"));
    filter.restore("*nat\nCOMMIT\n", false).unwrap();
    assert!(!filter.table(TableName::Nat).has_chain("A"));
}

#[test]
fn single_rules_are_inserted_and_deleted() {
    let mut filter = Netfilter::new();
    let steps = "*filter\n-A INPUT -j ACCEPT\n-I INPUT -j DROP\n-I INPUT 2 -j RETURN\n-D INPUT -j \
                 DROP\nCOMMIT\n";
    filter.restore(steps, true).unwrap();
    let text = saved(&filter, TableName::Filter);
    let rules: Vec<&str> = text.lines().filter(|line| line.starts_with("-A")).collect();
    assert_eq!(rules, ["-A INPUT -j RETURN", "-A INPUT -j ACCEPT"]);
}

fn packet(stream: &mut Stream) -> Ipv4Packet {
    let address = |stream: &mut Stream| Ipv4Addr::new(10, 0, 0, stream.below(12) as u8);
    let port = |stream: &mut Stream| 80 + stream.below(6) as u16;
    let (source, destination) = (port(stream), port(stream));
    let flags = TcpFlags { syn: true, ..TcpFlags::default() };
    let transport = match stream.below(3) {
        0 => Transport::Udp { source, destination },
        1 => Transport::Icmp { kind: 8, code: 0, identifier: 1, sequence: 1 },
        _ => Transport::Tcp { source, destination, flags, sequence: 0, acknowledgement: 0 },
    };
    Ipv4Packet {
        id: 1,
        source: address(stream),
        destination: address(stream),
        time_to_live: 64,
        transport,
        payload: Payload::Empty,
        encapsulated: None,
        mark: 0,
    }
}

/// A rule of random wants.
fn random_rule(stream: &mut Stream) -> String {
    let mut text = String::new();
    // Often several of them in a row.
    if stream.below(2) == 0 {
        let target = ["RETURN", "B", "DROP"][stream.below(3) as usize];
        return format!(" -m statistic --mode random --probability 0.05 -j {target}");
    }
    if stream.below(2) == 0 {
        let not = if stream.below(6) == 0 { "! " } else { "" };
        let prefix = [32, 32, 32, 30, 0][stream.below(5) as usize];
        text += &format!(" {not}-d 10.0.0.{}/{prefix}", stream.below(12));
    }
    if stream.below(3) > 0 {
        let (not, last) = match stream.below(8) {
            0 => ("! ", String::new()),
            1 => ("", ":84".to_string()),
            _ => ("", String::new()),
        };
        if stream.below(6) == 0 {
            text += " -m statistic --mode random --probability 0.5";
        }
        let protocol = ["tcp", "udp"][stream.below(2) as usize];
        text += &format!(" -p {protocol} {not}--dport {}{last}", 80 + stream.below(5));
    }
    if stream.below(8) == 0 {
        text += &format!(" -m mark --mark {}", stream.below(3));
    }
    text += [" -j RETURN", " -j ACCEPT", " -j DROP", " -j MARK --xor-mark 1", " -j B", ""]
        [stream.below(6) as usize];
    text
}

/// The table without its indexes and rows.
fn scanned(table: &Table) -> Table {
    let mut table = table.clone();
    for at in 0..table.chains.len() {
        if let Some(Some(chain)) = table.chains.get_mut(at) {
            let chain = Arc::make_mut(chain);
            chain.index = None;
            chain.rows.clear();
        }
    }
    table
}

#[test]
fn an_indexed_chain_decides_as_one_that_is_looked_through() {
    let mut draws = Stream::new(11, "rules");
    let namespace = Namespace::new("box");
    let environment = Environment {
        namespace: &namespace,
        input: Some("cni0"),
        output: None,
        masquerade: Ipv4Addr::LOCALHOST,
        now: Time::ZERO,
    };
    let asked = Asked { environment: &environment, states: States::NEW };
    let mut decided = 0;
    for round in 0..60 {
        let mut text = String::from("*filter\n:B - [0:0]\n");
        for _ in 0..20 + draws.below(40) {
            text += &format!("-A INPUT{}\n", random_rule(&mut draws));
            let inner = random_rule(&mut draws).replace(" -j B", " -j RETURN");
            text += &format!("-A B{inner}\n");
        }
        let mut filter = Netfilter::new();
        filter.restore(&(text + "COMMIT\n"), true).unwrap();
        let mut indexed = filter.table(TableName::Filter).clone();
        let chain = indexed.chain(0).unwrap();
        assert!(chain.index.is_some() && !chain.rows.is_empty());
        let mut plain = scanned(&indexed);
        let (mut one, mut other) = (Stream::new(round, "same"), Stream::new(round, "same"));
        for _ in 0..50 {
            let mut packet = packet(&mut draws);
            let mut again = packet.clone();
            let mut none = OrdMap::new();
            let left = indexed.traverse(Hook::Input, &mut packet, &asked, &mut none, &mut one);
            let right = plain.traverse(Hook::Input, &mut again, &asked, &mut none, &mut other);
            assert_eq!((left, packet.mark), (right, again.mark), "{packet}");
            decided += u32::from(left.1.is_some());
        }
        assert_eq!(one, other, "they draw alike");
        let counters = |table: &Table| table.counters.iter().cloned().collect::<Vec<_>>();
        assert_eq!(counters(&indexed), counters(&plain), "they count alike");
    }
    assert!(decided > 1000, "{decided}");
}

#[test]
fn chains_that_jump_in_a_circle_end() {
    let mut filter = Netfilter::new();
    let text = "*filter\n:A - [0:0]\n:B - [0:0]\n-A INPUT -j A\n-A A -j B\n-A B -j A\nCOMMIT\n";
    filter.restore(text, true).unwrap();
    let namespace = Namespace::new("box");
    let environment = Environment {
        namespace: &namespace,
        input: None,
        output: None,
        masquerade: Ipv4Addr::LOCALHOST,
        now: Time::ZERO,
    };
    let mut packet = packet(&mut Stream::new(1, "x"));
    let mut stream = Stream::new(1, "x");
    let mut track = Track::Unseen;
    let (outcome, _) = filter.run(Hook::Input, &mut packet, &mut track, &environment, &mut stream);
    assert!(matches!(outcome, Outcome::Drop(Some(_))));
}

/// What the real tool makes of a text in a network namespace of its own: `iptables-save` after
/// `iptables-restore`, without comments, in order.
fn real_tool(text: &str) -> Result<Vec<String>, String> {
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-c", "iptables-restore && iptables-save"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let mut input = child.stdin.take().ok_or("no standard input")?;
    // A tool that fails at once does not read.
    let _ = input.write_all(text.as_bytes());
    drop(input);
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(sorted(&String::from_utf8_lossy(&output.stdout)))
}

fn sorted(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut lines: Vec<String> = lines.map(str::to_string).collect();
    lines.sort();
    lines
}

#[test]
fn the_real_tool_takes_what_is_saved_and_saves_the_same() {
    let there = real_tool("").map(drop).map_err(::tests::Unmet);
    ::tests::conditional("network: iptables-restore", there, |()| {
        let mut machine = crate::Machine::new(MachineOptions {
            name: "node".to_string(),
            address: "192.168.0.1/24".parse().unwrap(),
        });
        let host = NamespaceId::HOST;
        let addresses = [Ipv4Addr::new(10, 244, 1, 2), Ipv4Addr::new(10, 244, 1, 3)];
        machine.restore(host, crate::tests::services::BASE, true).unwrap();
        let text = crate::tests::services::service(&addresses, true);
        machine.restore(host, &text, true).unwrap();
        let mut more = String::from("*filter\n:KUBE-X - [0:0]\n");
        for (rule, _) in RULES {
            more += &format!("-A FORWARD {rule}\n");
        }
        machine.restore(host, &(more + "COMMIT\n"), true).unwrap();
        let ours = [TableName::Nat, TableName::Filter]
            .map(|table| machine.save(host, Some(table), false))
            .concat();
        assert_eq!(real_tool(&ours), Ok(sorted(&ours)));
        let counted = machine.save(host, Some(TableName::Nat), true);
        let plain = machine.save(host, Some(TableName::Nat), false);
        assert_eq!(real_tool(&counted), Ok(sorted(&plain)));
    });
}
