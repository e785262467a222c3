//! From Service ports and endpoints to the text that `iptables-restore` takes.
//!
//! Upstream: pkg/proxy/iptables/proxier.go, syncProxyRules.

use sim::OrdSet;
use std::sync::Arc;

use super::model::{Categories, Endpoint, ServicePort};

const SERVICES: &str = "KUBE-SERVICES";
const EXTERNAL: &str = "KUBE-EXTERNAL-SERVICES";
const NODE_PORTS: &str = "KUBE-NODEPORTS";
const POSTROUTING: &str = "KUBE-POSTROUTING";
const MARK_MASQ: &str = "KUBE-MARK-MASQ";
const FORWARD: &str = "KUBE-FORWARD";
const FIREWALL: &str = "KUBE-PROXY-FIREWALL";
const KUBELET_FIREWALL: &str = "KUBE-FIREWALL";
/// The bit that says that a packet must leave under the node's address.
const MASQUERADE_MARK: &str = "0x00004000";

/// The chains of one table and the rules in them.
#[derive(Default)]
struct Table {
    chains: String,
    rules: String,
}

impl Table {
    fn chain(&mut self, name: &str) {
        self.chains.push_str(&format!(":{name} - [0:0]\n"));
    }

    fn rule(&mut self, words: &str) {
        self.rules.push_str("-A ");
        self.rules.push_str(words);
        self.rules.push('\n');
    }

    fn text(&self, name: &str) -> String {
        format!("*{name}\n{}{}COMMIT\n", self.chains, self.rules)
    }
}

/// The rules of all Services.
#[derive(Default)]
pub(super) struct Rules {
    filter: Table,
    nat: Table,
    /// The chains of Services that are in use, whether or not they are in the text.
    pub(super) active: OrdSet<Arc<str>>,
    /// `10.244.0.0/16`: where pods are; empty if that is not known.
    pod_range: String,
}

/// The jumps from the chains of the kernel to kube-proxy's own: table, from, what it is, whether
/// only for new connections, to. Upstream: iptablesJumpChains; each is put before the others.
const JUMPS: [(&str, &str, &str, bool, &str); 14] = [
    ("filter", "INPUT", "", false, KUBELET_FIREWALL),
    ("filter", "OUTPUT", "", false, KUBELET_FIREWALL),
    ("filter", "INPUT", "kubernetes externally-visible service portals", true, EXTERNAL),
    ("filter", "FORWARD", "kubernetes externally-visible service portals", true, EXTERNAL),
    ("filter", "INPUT", "kubernetes health check service ports", false, NODE_PORTS),
    ("filter", "FORWARD", "kubernetes service portals", true, SERVICES),
    ("filter", "OUTPUT", "kubernetes service portals", true, SERVICES),
    ("filter", "FORWARD", "kubernetes forwarding rules", false, FORWARD),
    ("filter", "INPUT", "kubernetes load balancer firewall", true, FIREWALL),
    ("filter", "OUTPUT", "kubernetes load balancer firewall", true, FIREWALL),
    ("filter", "FORWARD", "kubernetes load balancer firewall", true, FIREWALL),
    ("nat", "OUTPUT", "kubernetes service portals", false, SERVICES),
    ("nat", "PREROUTING", "kubernetes service portals", false, SERVICES),
    ("nat", "POSTROUTING", "kubernetes postrouting rules", false, POSTROUTING),
];

/// The chains of Services in what `iptables-save` printed. Upstream: isServiceChainName.
pub(super) fn service_chains(saved: &str) -> OrdSet<Arc<str>> {
    let names = saved.lines().filter_map(|line| line.strip_prefix(':')?.split(' ').next());
    let kinds = ["SVC", "SVL", "SEP", "FW", "EXT"];
    let own = names.filter(|name| {
        let kind = name.strip_prefix("KUBE-").and_then(|rest| rest.split_once('-'));
        kind.is_some_and(|(kind, _)| kinds.contains(&kind))
    });
    own.map(Arc::from).collect()
}

/// What a first run sets up: kube-proxy's chains and those jumps to them that are not there.
pub(super) fn foundation(saved: &str) -> String {
    let mut tables = [("filter", Table::default()), ("nat", Table::default())];
    let chains = [
        (
            "filter",
            [SERVICES, EXTERNAL, FORWARD, NODE_PORTS, FIREWALL, KUBELET_FIREWALL].as_slice(),
        ),
        ("nat", &[SERVICES, NODE_PORTS, POSTROUTING, MARK_MASQ]),
    ];
    for ((_, table), (_, names)) in tables.iter_mut().zip(chains) {
        names.iter().for_each(|name| table.chain(name));
    }
    for (table, from, comment, only_new, to) in JUMPS {
        let (start, end) = (format!("-A {from} "), format!("-j {to}"));
        let of_table = saved.split("COMMIT").find(|part| part.contains(&format!("*{table}\n")));
        let mut lines = of_table.unwrap_or_default().lines();
        if lines.any(|line| line.starts_with(&start) && line.ends_with(&end)) {
            continue;
        }
        let state = if only_new { "-m conntrack --ctstate NEW " } else { "" };
        let comment = match comment {
            "" => String::new(),
            comment => format!("-m comment --comment \"{comment}\" "),
        };
        if let Some((_, found)) = tables.iter_mut().find(|(name, _)| *name == table) {
            found.rules.push_str(&format!("-I {from} 1 {state}{comment}-j {to}\n"));
        }
    }
    tables[0].1.rule(&format!(
        "{KUBELET_FIREWALL} -m comment --comment \"block incoming localnet connections\" ! -s \
         127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"
    ));
    tables.iter().map(|(name, table)| table.text(name)).collect()
}

/// `0.3333333333`: upstream prints a tenth of a billionth.
fn probability(of: usize) -> String {
    const ONE: u64 = 10_000_000_000;
    let of = of.max(1) as u64;
    let value = (ONE * 2 / of).div_ceil(2);
    format!("{}.{:010}", value / ONE, value % ONE)
}

/// What stands in for a Service's traffic that has nowhere to go.
struct Refusal {
    target: &'static str,
    comment: String,
}

impl Rules {
    pub(super) fn new(pod_range: &str) -> Self {
        let mut rules = Rules { pod_range: pod_range.to_string(), ..Rules::default() };
        for name in [SERVICES, EXTERNAL, FORWARD, NODE_PORTS, FIREWALL] {
            rules.filter.chain(name);
        }
        for name in [SERVICES, NODE_PORTS, POSTROUTING, MARK_MASQ] {
            rules.nat.chain(name);
        }
        let mark = MASQUERADE_MARK;
        rules.nat.rule(&format!("{POSTROUTING} -m mark ! --mark {mark}/{mark} -j RETURN"));
        rules.nat.rule(&format!("{POSTROUTING} -j MARK --xor-mark {mark}"));
        rules.nat.rule(&format!(
            "{POSTROUTING} -m comment --comment \"kubernetes service traffic requiring SNAT\" -j \
             MASQUERADE --random-fully"
        ));
        rules.nat.rule(&format!("{MARK_MASQ} -j MARK --or-mark {mark}"));
        rules
    }

    /// Adds one Service port. Its own chains are left out when they have not changed.
    pub(super) fn add(&mut self, port: &ServicePort, found: &Categories, changed: bool) {
        let has_internal = found.any && !(port.internal_local && found.local.is_empty());
        let has_external = found.any && !(port.external_local && found.local.is_empty());
        let name = |kind: &str| format!("KUBE-{kind}-{}", port.hash);
        let (cluster, local) = (name("SVC"), name("SVL"));
        let internal = if port.internal_local { &local } else { &cluster };
        let external_policy = if port.external_local { &local } else { &cluster };
        self.portals(port, found.any, (has_internal, has_external), internal);
        let uses_cluster = !found.cluster.is_empty() && port.uses_cluster();
        let uses_local = !found.local.is_empty() && port.uses_local();
        let uses_external = found.any && port.externally_accessible();
        let uses_firewall = uses_firewall(port, found.any);
        for (used, chain) in [
            (uses_cluster, &cluster),
            (uses_local, &local),
            (uses_external, &name("EXT")),
            (uses_firewall, &name("FW")),
        ] {
            if used {
                self.active.insert(chain.as_str().into());
            }
        }
        self.active.extend(found.reachable.iter().map(|endpoint| endpoint.chain.clone()));
        if !changed {
            return;
        }
        if has_internal && !self.pod_range.is_empty() {
            self.nat.rule(&format!(
                "{internal} -m comment --comment \"{} cluster IP\" {} ! -s {} -j {MARK_MASQ}",
                port.name,
                to(port, &port.cluster_ip),
                self.pod_range
            ));
        }
        if uses_external {
            self.external_chain(port, has_external.then_some(external_policy), &cluster);
        }
        if uses_firewall {
            self.firewall_chain(port);
        }
        if uses_cluster {
            self.balance(port, &cluster, &found.cluster);
        }
        if uses_local {
            self.balance(port, &local, &found.local);
        }
        for endpoint in &found.reachable {
            self.endpoint(port, endpoint);
        }
    }

    /// The rules that catch traffic for a Service port, in the chains that all share.
    fn portals(
        &mut self,
        port: &ServicePort,
        any: bool,
        (has_internal, has_external): (bool, bool),
        internal: &str,
    ) {
        let refusal = |reachable: bool| match (any, reachable) {
            (false, _) => Some(Refusal {
                target: "REJECT",
                comment: format!("{} has no endpoints", port.name),
            }),
            (true, false) => Some(Refusal {
                target: "DROP",
                comment: format!("{} has no local endpoints", port.name),
            }),
            (true, true) => None,
        };
        let name = &port.name;
        let own = to(port, &port.cluster_ip);
        match refusal(has_internal) {
            None => self.nat.rule(&format!(
                "{SERVICES} -m comment --comment \"{name} cluster IP\" {own} -j {internal}"
            )),
            Some(Refusal { target, comment }) => self
                .filter
                .rule(&format!("{SERVICES} -m comment --comment \"{comment}\" {own} -j {target}")),
        }
        let external = format!("KUBE-EXT-{}", port.hash);
        let firewall = format!("KUBE-FW-{}", port.hash);
        let filtered = uses_firewall(port, any);
        let balanced = if filtered { &firewall } else { &external };
        let kinds = [
            (&port.external_ips, "external", &external),
            (&port.load_balancer_vips, "loadbalancer", balanced),
        ];
        for (addresses, kind, chain) in kinds {
            for address in addresses {
                let own = to(port, address);
                if any {
                    self.nat.rule(&format!(
                        "{SERVICES} -m comment --comment \"{name} {kind} IP\" {own} -j {chain}"
                    ));
                }
                if filtered && kind == "loadbalancer" {
                    self.filter.rule(&format!(
                        "{FIREWALL} -m comment --comment \"{name} traffic not accepted by \
                         {firewall}\" {own} -j DROP"
                    ));
                }
                if let Some(Refusal { target, comment }) = refusal(has_external) {
                    self.filter.rule(&format!(
                        "{EXTERNAL} -m comment --comment \"{comment}\" {own} -j {target}"
                    ));
                }
            }
        }
        self.node_ports(port, any, refusal(has_external));
    }

    fn node_ports(&mut self, port: &ServicePort, any: bool, refusal: Option<Refusal>) {
        let (name, protocol) = (&port.name, &port.protocol);
        if port.node_port != 0 {
            let own = format!("-m {protocol} -p {protocol} --dport {}", port.node_port);
            if any {
                self.nat.rule(&format!(
                    "{NODE_PORTS} -m comment --comment {name} {own} -j KUBE-EXT-{}",
                    port.hash
                ));
            }
            if let Some(Refusal { target, comment }) = refusal {
                self.filter.rule(&format!(
                    "{EXTERNAL} -m comment --comment \"{comment}\" -m addrtype --dst-type LOCAL \
                     {own} -j {target}"
                ));
            }
        }
        if port.health_check_node_port != 0 {
            self.filter.rule(&format!(
                "{NODE_PORTS} -m comment --comment \"{name} health check node port\" -m tcp -p \
                 tcp --dport {} -j ACCEPT",
                port.health_check_node_port
            ));
        }
    }

    /// Where traffic from outside goes first.
    fn external_chain(&mut self, port: &ServicePort, policy: Option<&String>, cluster: &str) {
        let chain = format!("KUBE-EXT-{}", port.hash);
        self.nat.chain(&chain);
        let what = format!("{} external destinations", port.name);
        let comment = |words: &str| format!("{chain} -m comment --comment \"{words} {what}\"");
        if port.external_local {
            if !self.pod_range.is_empty() {
                let own = comment("pod traffic for");
                self.nat.rule(&format!("{own} -s {} -j {cluster}", self.pod_range));
            }
            let own = comment("masquerade LOCAL traffic for");
            self.nat.rule(&format!("{own} -m addrtype --src-type LOCAL -j {MARK_MASQ}"));
            let own = comment("route LOCAL traffic for");
            self.nat.rule(&format!("{own} -m addrtype --src-type LOCAL -j {cluster}"));
        } else {
            let own = comment("masquerade traffic for");
            self.nat.rule(&format!("{own} -j {MARK_MASQ}"));
        }
        if let Some(policy) = policy {
            self.nat.rule(&format!("{chain} -j {policy}"));
        }
    }

    /// Who may reach a load balancer's address.
    fn firewall_chain(&mut self, port: &ServicePort) {
        let chain = format!("KUBE-FW-{}", port.hash);
        self.nat.chain(&chain);
        for range in &port.source_ranges {
            self.nat.rule(&format!(
                "{chain} -m comment --comment \"{} loadbalancer IP\" -s {range} -j KUBE-EXT-{}",
                port.name, port.hash
            ));
        }
        self.nat.rule(&format!(
            "{chain} -m comment --comment \"other traffic to {} will be dropped by {FIREWALL}\"",
            port.name
        ));
    }

    /// Upstream: writeServiceToEndpointRules.
    fn balance(&mut self, port: &ServicePort, chain: &str, endpoints: &[Endpoint]) {
        self.nat.chain(chain);
        let comment = |endpoint: &Endpoint| {
            format!("{chain} -m comment --comment \"{} -> {}\"", port.name, endpoint.target)
        };
        if let Some(seconds) = port.sticky_seconds {
            for endpoint in endpoints {
                self.nat.rule(&format!(
                    "{} -m recent --name {1} --rcheck --seconds {seconds} --reap -j {1}",
                    comment(endpoint),
                    endpoint.chain
                ));
            }
        }
        for (place, endpoint) in endpoints.iter().enumerate() {
            let left = endpoints.len() - place;
            let share = match left {
                1 => String::new(),
                left => format!(" -m statistic --mode random --probability {}", probability(left)),
            };
            self.nat.rule(&format!("{}{share} -j {}", comment(endpoint), endpoint.chain));
        }
    }

    fn endpoint(&mut self, port: &ServicePort, endpoint: &Endpoint) {
        let Endpoint { chain, address, target, .. } = endpoint;
        self.nat.chain(chain);
        let own = format!("{chain} -m comment --comment {}", port.name);
        // A pod that reaches itself must not see its own address.
        self.nat.rule(&format!("{own} -s {address} -j {MARK_MASQ}"));
        let sticky = match port.sticky_seconds {
            Some(_) => format!(" -m recent --name {chain} --set"),
            None => String::new(),
        };
        let protocol = &port.protocol;
        self.nat.rule(&format!(
            "{own}{sticky} -m {protocol} -p {protocol} -j DNAT --to-destination {target}"
        ));
    }

    /// The whole text; `stale` are chains that nobody uses any more.
    pub(super) fn finish(mut self, stale: &[Arc<str>]) -> String {
        for chain in stale {
            self.nat.chain(chain);
            self.nat.rules.push_str(&format!("-X {chain}\n"));
        }
        self.nat.rule(&format!(
            "{SERVICES} -m comment --comment \"kubernetes service nodeports; NOTE: this must be \
             the last rule in this chain\" -m addrtype --dst-type LOCAL -j {NODE_PORTS}"
        ));
        let mark = MASQUERADE_MARK;
        self.filter.rule(&format!("{FORWARD} -m conntrack --ctstate INVALID -j DROP"));
        self.filter.rule(&format!(
            "{FORWARD} -m comment --comment \"kubernetes forwarding rules\" -m mark --mark \
             {mark}/{mark} -j ACCEPT"
        ));
        self.filter.rule(&format!(
            "{FORWARD} -m comment --comment \"kubernetes forwarding conntrack rule\" -m conntrack \
             --ctstate RELATED,ESTABLISHED -j ACCEPT"
        ));
        format!("{}{}", self.filter.text("filter"), self.nat.text("nat"))
    }
}

fn uses_firewall(port: &ServicePort, any: bool) -> bool {
    any && !port.load_balancer_vips.is_empty() && !port.source_ranges.is_empty()
}

/// What traffic to an address of a Service port matches.
fn to(port: &ServicePort, address: &str) -> String {
    format!("-m {0} -p {0} -d {address} --dport {1}", port.protocol, port.port)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Upstream: Sprintf("%0.10f", 1.0/n).
    #[test]
    fn probabilities_are_printed_as_upstream_does() {
        for (of, want) in [
            (1, "1.0000000000"),
            (2, "0.5000000000"),
            (3, "0.3333333333"),
            (6, "0.1666666667"),
            (7, "0.1428571429"),
            (11, "0.0909090909"),
            (1000, "0.0010000000"),
        ] {
            assert_eq!(probability(of), want);
        }
    }
}
