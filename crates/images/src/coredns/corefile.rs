//! The Corefile: which zones are served with which plugins.

use sim::Duration;

/// The plugins that are known; upstream's list has more.
const KNOWN: &str = "errors health ready kubernetes prometheus forward cache loop reload \
                     loadbalance log hosts bind lameduck debug pprof whoami rewrite autopath \
                     metadata trace bufsize dnssec template import minimal any erratic file";

/// The plugin `kubernetes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kubernetes {
    /// With dots at their ends.
    pub(super) zones: Vec<String>,
    pub(super) ttl: u32,
    pub(super) pods: Pods,
    /// In which zones names that it does not know are passed on.
    pub(super) fall: Vec<String>,
}

/// Which names of pods are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pods {
    Disabled,
    Insecure,
    Verified,
}

/// The plugin `cache`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cache {
    pub(super) ttl: u32,
    /// Zones whose positive and whose negative answers are not kept.
    pub(super) no_success: Vec<String>,
    pub(super) no_denial: Vec<String>,
}

/// One server block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) zones: Vec<String>,
    pub(super) kubernetes: Option<Kubernetes>,
    pub(super) cache: Option<Cache>,
    /// The upstream servers, or the file that lists them.
    pub(super) forward: Vec<String>,
    /// Names that are answered from the file itself, with their addresses.
    pub(super) hosts: Vec<(String, String)>,
    pub(super) loadbalance: bool,
    pub(super) log: bool,
    pub(super) loops: bool,
}

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Corefile {
    pub(super) servers: Vec<Server>,
    pub(super) port: u16,
    pub(super) health: Option<u16>,
    pub(super) lameduck: Duration,
    pub(super) ready: Option<u16>,
    pub(super) metrics: Option<u16>,
    pub(super) reload: bool,
}

/// A zone as it is compared: lower case, with a dot at its end.
pub(super) fn zone(text: &str) -> String {
    let name = text.split("://").last().unwrap_or_default();
    let name = name.split(':').next().unwrap_or_default().to_ascii_lowercase();
    // A range of addresses stands for its reverse zone.
    match name.as_str() {
        "" | "." => ".".to_string(),
        name if name.ends_with('.') => name.to_string(),
        name => format!("{name}."),
    }
}

/// Whether a name lies in a zone.
pub(super) fn within(name: &str, zone: &str) -> bool {
    zone == "." || name == zone || name.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.'))
}

fn port(address: Option<&String>, default: u16) -> u16 {
    let port = address.and_then(|address| address.rsplit(':').next()?.parse().ok());
    port.unwrap_or(default)
}

impl Corefile {
    /// Reads the file's text.
    ///
    /// # Errors
    /// CoreDNS's words.
    pub(super) fn parse(text: &str, path: &str) -> Result<Corefile, String> {
        let mut corefile = Corefile { port: 53, ..Corefile::default() };
        let mut server: Option<Server> = None;
        let mut directive: Option<Vec<String>> = None;
        let mut block: Vec<Vec<String>> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words: Vec<String> =
                line.split_ascii_whitespace().map(str::to_string).collect();
            let opens = words.last().is_some_and(|word| word == "{");
            if opens {
                words.pop();
            }
            if words.first().is_some_and(|word| word == "}") {
                match (directive.take(), server.take()) {
                    (Some(words), Some(mut own)) => {
                        corefile.directive(&mut own, &words, &std::mem::take(&mut block));
                        server = Some(own);
                    }
                    (_, Some(done)) => corefile.servers.push(done),
                    _ => return Err(format!("{path}:{} - Unexpected '}}'", number + 1)),
                }
                continue;
            }
            let Some(first) = words.first() else { continue };
            match (&mut server, &directive) {
                (None, _) => {
                    corefile.port = words
                        .iter()
                        .find_map(|word| word.rsplit_once(':')?.1.parse().ok())
                        .unwrap_or(corefile.port);
                    let zones = words.iter().map(|word| zone(word)).collect();
                    server = Some(Server { zones, ..Server::default() });
                }
                (Some(_), Some(_)) => block.push(words),
                (Some(own), None) => {
                    if !KNOWN.split_ascii_whitespace().any(|known| known == first) {
                        return Err(format!(
                            "{path}:{} - Error during parsing: Unknown directive '{first}'",
                            number + 1
                        ));
                    }
                    if opens {
                        directive = Some(words);
                    } else {
                        corefile.directive(own, &words, &[]);
                    }
                }
            }
        }
        if server.is_some() {
            return Err(format!("{path}:{} - Unexpected EOF", text.lines().count()));
        }
        Ok(corefile)
    }

    fn directive(&mut self, server: &mut Server, words: &[String], block: &[Vec<String>]) {
        let (name, args) = words.split_first().map_or(("", words), |(name, args)| (name, args));
        let option =
            |name: &str| block.iter().find(|line| line.first().is_some_and(|word| word == name));
        match name {
            "health" => {
                self.health = Some(port(args.first(), 8080));
                let lameduck = option("lameduck").and_then(|line| line.get(1));
                let seconds = lameduck.and_then(|span| span.trim_end_matches('s').parse().ok());
                self.lameduck = Duration::from_secs(seconds.unwrap_or(0));
            }
            "ready" => self.ready = Some(port(args.first(), 8181)),
            "prometheus" => self.metrics = Some(port(args.first(), 9153)),
            "reload" => self.reload = true,
            "log" => server.log = true,
            "loop" => server.loops = true,
            "loadbalance" => server.loadbalance = true,
            "forward" => server.forward = args.get(1..).unwrap_or_default().to_vec(),
            "hosts" => {
                for line in block {
                    if let Some((address, names)) = line.split_first() {
                        let names = names.iter().map(|name| (zone(name), address.clone()));
                        server.hosts.extend(names);
                    }
                }
            }
            "cache" => {
                let ttl = args.first().and_then(|ttl| ttl.parse().ok()).unwrap_or(3600);
                let disabled = |what: &str| {
                    let lines = block.iter().filter(|line| {
                        line.first().is_some_and(|word| word == "disable")
                            && line.get(1).is_some_and(|word| word == what)
                    });
                    lines.flat_map(|line| line.iter().skip(2)).map(|name| zone(name)).collect()
                };
                let (no_success, no_denial) = (disabled("success"), disabled("denial"));
                server.cache = Some(Cache { ttl, no_success, no_denial });
            }
            "kubernetes" => {
                let zones: Vec<String> = args.iter().map(|name| zone(name)).collect();
                let value = |name: &str| option(name).and_then(|line| line.get(1));
                let pods = match value("pods").map(String::as_str) {
                    Some("insecure") => Pods::Insecure,
                    Some("verified") => Pods::Verified,
                    _ => Pods::Disabled,
                };
                let ttl = value("ttl").and_then(|ttl| ttl.parse().ok()).unwrap_or(5);
                let fall = option("fallthrough").map(|line| match line.get(1..) {
                    Some([]) | None => vec![".".to_string()],
                    Some(names) => names.iter().map(|name| zone(name)).collect(),
                });
                let fall = fall.unwrap_or_default();
                let zones = if zones.is_empty() { server.zones.clone() } else { zones };
                server.kubernetes = Some(Kubernetes { zones, ttl, pods, fall });
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What kubeadm installs. Upstream: cmd/kubeadm/app/phases/addons/dns/manifests.go.
    const KUBEADM: &str = ".:53 {\n    errors\n    health {\n       lameduck 5s\n    }\n    ready\n    \
        kubernetes cluster.local in-addr.arpa ip6.arpa {\n       pods insecure\n       \
        fallthrough in-addr.arpa ip6.arpa\n       ttl 30\n    }\n    prometheus :9153\n    \
        forward . /etc/resolv.conf {\n       max_concurrent 1000\n    }\n    cache 30 {\n       \
        disable success cluster.local\n       disable denial cluster.local\n    }\n    loop\n    \
        reload\n    loadbalance\n}\n";

    #[test]
    fn the_corefile_of_kubeadm_is_understood() {
        let corefile = Corefile::parse(KUBEADM, "Corefile").expect("a Corefile");
        assert_eq!((corefile.port, corefile.health, corefile.ready), (53, Some(8080), Some(8181)));
        assert_eq!(corefile.metrics, Some(9153));
        assert_eq!(corefile.lameduck, Duration::from_secs(5));
        let server = &corefile.servers[0];
        assert_eq!(server.forward, ["/etc/resolv.conf"]);
        let kubernetes = server.kubernetes.as_ref().expect("the plugin");
        assert_eq!(kubernetes.zones, ["cluster.local.", "in-addr.arpa.", "ip6.arpa."]);
        assert_eq!((kubernetes.ttl, kubernetes.pods), (30, Pods::Insecure));
        assert_eq!(kubernetes.fall, ["in-addr.arpa.", "ip6.arpa."]);
        let cache = server.cache.as_ref().expect("the plugin");
        assert_eq!((cache.ttl, cache.no_denial.as_slice()), (30, &["cluster.local.".into()][..]));
        assert!(server.loops && server.loadbalance && corefile.reload);
    }

    #[test]
    fn what_is_no_corefile_is_refused() {
        for (text, want) in [
            (
                ".:53 {\n  nosuch\n}\n",
                "Corefile:2 - Error during parsing: Unknown directive 'nosuch'",
            ),
            (".:53 {\n  errors\n", "Corefile:2 - Unexpected EOF"),
            ("}\n", "Corefile:1 - Unexpected '}'"),
        ] {
            assert_eq!(Corefile::parse(text, "Corefile"), Err(want.to_string()));
        }
    }
}
