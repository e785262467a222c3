//! The files by which a container finds names: `/etc/resolv.conf`, `/etc/hosts`,
//! `/etc/hostname`.
//!
//! Upstream: pkg/kubelet/network/dns/dns.go; pkg/kubelet/kubelet_pods.go,
//! ensureHostsFile and GeneratePodHostNameAndDomain.

use api::openapi::api::core::v1::{Pod, PodDNSConfigOption, PodSpec};
use client::{Context, EventType};
use runtime::Files;

use crate::node::Node;
use crate::pod_worker::PodWorker;

/// The address of the Service `kube-dns` that kubeadm puts into the kubelet's configuration.
const CLUSTER_DNS: &str = "10.96.0.10";
const CLUSTER_DOMAIN: &str = "cluster.local";
/// The name server that the machines are given by their own network: its gateway.
pub(crate) const HOST_DNS: &str = "172.18.0.1";
/// Upstream: pkg/apis/core/validation, MaxDNSNameservers, MaxDNSSearchPaths and
/// MaxDNSSearchListChars.
const MAX_NAMESERVERS: usize = 3;
const MAX_SEARCHES: usize = 32;
const MAX_SEARCH_CHARS: usize = 2048;
/// Upstream: apimachinery, util/validation, DNS1123SubdomainMaxLength.
const MAX_NAME_CHARS: usize = 253;
const MAX_HOSTNAME_CHARS: usize = 63;

/// What a container's resolver is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct DnsConfig {
    servers: Vec<String>,
    searches: Vec<String>,
    options: Vec<(String, Option<String>)>,
}

/// The resolver's configuration of a pod, and in words what of it was too much.
fn dns_config(pod: &Pod) -> (DnsConfig, Vec<String>) {
    let empty = PodSpec::default();
    let spec = pod.spec.as_ref().unwrap_or(&empty);
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let host_network = spec.host_network == Some(true);
    let cluster = || DnsConfig {
        servers: vec![CLUSTER_DNS.to_string()],
        searches: vec![
            format!("{namespace}.svc.{CLUSTER_DOMAIN}"),
            format!("svc.{CLUSTER_DOMAIN}"),
            CLUSTER_DOMAIN.to_string(),
        ],
        options: vec![("ndots".to_string(), Some("5".to_string()))],
    };
    let host = || DnsConfig { servers: vec![HOST_DNS.to_string()], ..DnsConfig::default() };
    let mut config = match spec.dns_policy.as_deref().unwrap_or("ClusterFirst") {
        "None" => DnsConfig::default(),
        "ClusterFirstWithHostNet" => cluster(),
        "ClusterFirst" if !host_network => cluster(),
        _ => host(),
    };
    if let Some(own) = &spec.dns_config {
        append_new(&mut config.servers, own.nameservers.iter().flatten());
        append_new(&mut config.searches, own.searches.iter().flatten());
        merge_options(&mut config.options, own.options.iter().flatten());
    }
    config.fit()
}

fn append_new<'a>(list: &mut Vec<String>, more: impl Iterator<Item = &'a String>) {
    for word in more {
        if !list.contains(word) {
            list.push(word.clone());
        }
    }
}

fn merge_options<'a>(
    options: &mut Vec<(String, Option<String>)>,
    own: impl Iterator<Item = &'a PodDNSConfigOption>,
) {
    for PodDNSConfigOption { name, value } in own {
        let Some(name) = name else { continue };
        options.retain(|(existing, _)| existing != name);
        options.push((name.clone(), value.clone().filter(|value| !value.is_empty())));
    }
}

impl DnsConfig {
    /// Leaves out what is beyond the limits of resolvers, and says so.
    /// Upstream: dns.go, formDNSConfigFitsLimits.
    fn fit(mut self) -> (Self, Vec<String>) {
        let mut words = Vec::new();
        if self.servers.len() > MAX_NAMESERVERS {
            self.servers.truncate(MAX_NAMESERVERS);
            words.push(format!(
                "Nameserver limits were exceeded, some nameservers have been omitted, the applied \
                 nameserver line is: {}",
                self.servers.join(" ")
            ));
        }
        let asked = self.searches.len();
        self.searches.truncate(MAX_SEARCHES);
        self.searches.retain(|search| search.len() <= MAX_NAME_CHARS);
        while self.searches.join(" ").len() > MAX_SEARCH_CHARS {
            self.searches.pop();
        }
        if self.searches.len() < asked {
            words.push(format!(
                "Search Line limits were exceeded, some search paths have been omitted, the \
                 applied search line is: {}",
                self.searches.join(" ")
            ));
        }
        (self, words)
    }

    /// The file, as the container runtime writes it.
    fn resolv_conf(&self) -> String {
        let mut text = String::new();
        if !self.searches.is_empty() {
            text.push_str(&format!("search {}\n", self.searches.join(" ")));
        }
        for server in &self.servers {
            text.push_str(&format!("nameserver {server}\n"));
        }
        let option = |(name, value): &(String, Option<String>)| match value {
            Some(value) => format!("{name}:{value}"),
            None => name.clone(),
        };
        if !self.options.is_empty() {
            let options: Vec<String> = self.options.iter().map(option).collect();
            text.push_str(&format!("options {}\n", options.join(" ")));
        }
        text
    }
}

/// The host's name of a pod and its domain, which may be empty.
pub(crate) fn hostname_and_domain(pod: &Pod) -> (String, String) {
    let spec = pod.spec.as_ref();
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let given = |value: Option<&String>| value.cloned().filter(|value| !value.is_empty());
    if let Some(hostname) = given(spec.and_then(|spec| spec.hostname_override.as_ref())) {
        return (hostname, String::new());
    }
    let hostname = given(spec.and_then(|spec| spec.hostname.as_ref()));
    let hostname = hostname.unwrap_or_else(|| {
        let short: String = name.chars().take(MAX_HOSTNAME_CHARS).collect();
        short.trim_end_matches(['-', '.']).to_string()
    });
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let subdomain = given(spec.and_then(|spec| spec.subdomain.as_ref()));
    let domain = subdomain.map(|name| format!("{name}.{namespace}.svc.{CLUSTER_DOMAIN}"));
    (hostname, domain.unwrap_or_default())
}

/// The lines that a pod's specification adds to `/etc/hosts`.
fn host_aliases(pod: &Pod) -> String {
    let aliases = pod.spec.iter().flat_map(|spec| spec.host_aliases.iter().flatten());
    let lines: String = aliases
        .map(|alias| {
            let names = alias.hostnames.iter().flatten().cloned().collect::<Vec<_>>().join("\t");
            format!("{}\t{names}\n", alias.ip)
        })
        .collect();
    match lines.is_empty() {
        true => lines,
        false => format!("\n# Entries added by HostAliases.\n{lines}"),
    }
}

fn managed_hosts(pod: &Pod, address: &str) -> String {
    let (hostname, domain) = hostname_and_domain(pod);
    let own = match domain.is_empty() {
        true => format!("{address}\t{hostname}\n"),
        false => format!("{address}\t{hostname}.{domain}\t{hostname}\n"),
    };
    format!(
        "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost \
         ip6-loopback\nfe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\n\
         fe00::2\tip6-allrouters\n{own}{}",
        host_aliases(pod)
    )
}

fn host_hosts(pod: &Pod, node: &str, address: &str) -> String {
    format!(
        "# Kubernetes-managed hosts file (host network).\n127.0.0.1\tlocalhost\n\
         {address}\t{node}\n{}",
        host_aliases(pod)
    )
}

impl PodWorker {
    /// Says what of the pod's own resolver configuration was too much.
    pub(crate) fn announce_dns_limits(&self, node: &mut Node, cx: &mut Context<'_>) {
        for words in dns_config(&self.pod).1 {
            self.event(node, cx, None, (EventType::Warning, "DNSConfigForming", &words));
        }
    }

    /// Writes the files by which a container finds names.
    pub(crate) fn write_name_files(&self, node: &Node, files: &mut Files) {
        let address = self.address.as_deref().unwrap_or_default();
        let hosts = match self.is_host_network() {
            true => host_hosts(&self.pod, &node.spec.name, address),
            false => managed_hosts(&self.pod, address),
        };
        for (path, text) in [
            ("/etc/resolv.conf", dns_config(&self.pod).0.resolv_conf()),
            ("/etc/hosts", hosts),
            ("/etc/hostname", format!("{}\n", self.hostname(node))),
        ] {
            if !files.exists(path) {
                files.write(path, text.as_bytes());
            }
        }
    }

    /// The host's name as its programs see it.
    pub(crate) fn hostname(&self, node: &Node) -> String {
        if self.is_host_network() {
            return node.spec.name.clone();
        }
        let (hostname, domain) = hostname_and_domain(&self.pod);
        let qualified =
            self.pod.spec.as_ref().is_some_and(|spec| spec.set_hostname_as_fqdn == Some(true));
        match qualified && !domain.is_empty() {
            true => format!("{hostname}.{domain}"),
            false => hostname,
        }
    }
}

#[cfg(test)]
mod tests {
    use sim::Sort;

    use super::*;

    fn pod(spec: &str) -> Pod {
        let manifest =
            format!(r#"{{"metadata":{{"name":"web","namespace":"shop"}},"spec":{spec}}}"#);
        serde_json::from_str(&manifest).expect("a pod")
    }

    const CLUSTER: &str = "search shop.svc.cluster.local svc.cluster.local cluster.local\n\
        nameserver 10.96.0.10\noptions ndots:5\n";

    /// Upstream: pkg/kubelet/network/dns/dns_test.go, TestGetPodDNS and
    /// TestGetPodDNSCustom.
    #[test]
    fn the_policy_says_whose_name_server_is_asked() {
        let custom = r#""dnsConfig":{"nameservers":["1.2.3.4"],"searches":["a.example",
            "svc.cluster.local"],"options":[{"name":"ndots","value":"2"},{"name":"edns0"}]}"#;
        for (spec, want) in [
            (r#"{"containers":[]}"#.to_string(), CLUSTER.to_string()),
            (
                r#"{"containers":[],"dnsPolicy":"ClusterFirst","hostNetwork":true}"#.to_string(),
                "nameserver 172.18.0.1\n".to_string(),
            ),
            (
                r#"{"containers":[],"dnsPolicy":"ClusterFirstWithHostNet","hostNetwork":true}"#
                    .to_string(),
                CLUSTER.to_string(),
            ),
            (
                r#"{"containers":[],"dnsPolicy":"Default"}"#.to_string(),
                "nameserver 172.18.0.1\n".to_string(),
            ),
            (
                format!(r#"{{"containers":[],"dnsPolicy":"None",{custom}}}"#),
                "search a.example svc.cluster.local\nnameserver 1.2.3.4\noptions ndots:2 edns0\n"
                    .to_string(),
            ),
            (
                format!(r#"{{"containers":[],{custom}}}"#),
                "search shop.svc.cluster.local svc.cluster.local cluster.local a.example\n\
                 nameserver 10.96.0.10\nnameserver 1.2.3.4\noptions ndots:2 edns0\n"
                    .to_string(),
            ),
        ] {
            assert_eq!(dns_config(&pod(&spec)).0.resolv_conf(), want, "{spec}");
        }
    }

    /// Upstream: dns_test.go, TestFormDNSSearchFitsLimits.
    #[test]
    fn searches_beyond_the_limits_are_left_out_and_the_rest_is_said() {
        let own = ["testNS.svc.TEST", "svc.TEST", "TEST"];
        let with = |more: &[&str]| -> Vec<String> {
            own.iter().chain(more).map(|search| search.to_string()).collect()
        };
        let long = "B".repeat(256);
        // 16 words of 127 and the spaces between them are 2047 characters.
        let words = |count: usize| -> Vec<String> {
            (0..count).map(|number| format!("{number:0127}")).collect()
        };
        let numbers =
            |count: usize| -> Vec<String> { (0..count).map(|number| number.to_string()).collect() };
        for (asked, want) in [
            (with(&[]), with(&[])),
            (with(&["AAA", "BBB"]), with(&["AAA", "BBB"])),
            (with(&["AAA", &long, "BBB"]), with(&["AAA", "BBB"])),
            (words(16), words(16)),
            (words(17), words(16)),
            (numbers(32), numbers(32)),
            (numbers(33), numbers(32)),
        ] {
            let config = DnsConfig { searches: asked.clone(), ..DnsConfig::default() };
            let (config, said) = config.fit();
            assert_eq!(config.searches, want);
            let words = format!(
                "Search Line limits were exceeded, some search paths have been omitted, the \
                 applied search line is: {}",
                want.join(" ")
            );
            assert_eq!(said, Vec::from_iter((asked != want).then_some(words)));
        }
    }

    /// Upstream: dns_test.go, TestFormDNSNameserversFitsLimits.
    #[test]
    fn name_servers_beyond_the_limits_are_left_out_and_the_rest_is_said() {
        for (asked, want, words) in [
            (vec![], vec![], None),
            (vec!["127.0.0.1"], vec!["127.0.0.1"], None),
            (vec!["1.1.1.1", "2.2.2.2", "3.3.3.3"], vec!["1.1.1.1", "2.2.2.2", "3.3.3.3"], None),
            (
                vec!["1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4"],
                vec!["1.1.1.1", "2.2.2.2", "3.3.3.3"],
                Some(
                    "Nameserver limits were exceeded, some nameservers have been omitted, the \
                     applied nameserver line is: 1.1.1.1 2.2.2.2 3.3.3.3",
                ),
            ),
        ] {
            let servers = asked.iter().map(|server| server.to_string()).collect();
            let (config, said) = DnsConfig { servers, ..DnsConfig::default() }.fit();
            assert_eq!(config.servers, want);
            assert_eq!(said.first().map(String::as_str), words);
        }
    }

    /// Upstream: dns_test.go, TestMergeDNSOptions and TestAppendOptions.
    #[test]
    fn own_options_take_the_place_of_those_of_the_cluster() {
        let option =
            |name: &str, value: Option<&str>| (name.to_string(), value.map(str::to_string));
        let own = |name: &str, value: Option<&str>| PodDNSConfigOption {
            name: Some(name.to_string()),
            value: value.map(str::to_string),
        };
        for (existing, given, want) in [
            (vec![], vec![], vec![]),
            (vec![option("ndots", Some("5"))], vec![], vec![option("ndots", Some("5"))]),
            (
                vec![option("ndots", Some("5")), option("debug", None)],
                vec![own("ndots", Some("2")), own("single-request", None)],
                vec![
                    option("debug", None),
                    option("ndots", Some("2")),
                    option("single-request", None),
                ],
            ),
        ] {
            let mut options = existing;
            merge_options(&mut options, given.iter());
            options.order();
            assert_eq!(options, want);
        }
    }

    /// Upstream: pkg/kubelet/kubelet_pods_test.go, TestManagedHostsFileContent and
    /// TestNodeHostsFileContent.
    #[test]
    fn the_hosts_file_names_the_pod_and_its_aliases() {
        let head = "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n\
            ::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n\
            fe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n";
        let plain = managed_hosts(&pod(r#"{"containers":[]}"#), "10.244.1.2");
        assert_eq!(plain, format!("{head}10.244.1.2\tweb\n"));
        let spec = r#"{"containers":[],"hostname":"foo","subdomain":"bar","hostAliases":
            [{"ip":"123.45.67.89","hostnames":["a.example","b.example"]}]}"#;
        let full = managed_hosts(&pod(spec), "10.244.1.2");
        assert_eq!(
            full,
            format!(
                "{head}10.244.1.2\tfoo.bar.shop.svc.cluster.local\tfoo\n\n\
                 # Entries added by HostAliases.\n123.45.67.89\ta.example\tb.example\n"
            )
        );
    }

    /// Upstream: pkg/kubelet/kubelet_pods_test.go, TestTruncatePodHostname.
    #[test]
    fn long_names_of_pods_make_short_host_names() {
        let mut pod = pod(r#"{"containers":[]}"#);
        pod.metadata.name = Some(format!("{}-{}", "a".repeat(62), "b".repeat(10)));
        assert_eq!(hostname_and_domain(&pod).0, "a".repeat(62));
    }
}
