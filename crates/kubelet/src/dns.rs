//! The files by which a container finds names: `/etc/resolv.conf`, `/etc/hosts`,
//! `/etc/hostname`.
//!
//! Upstream: pkg/kubelet/network/dns/dns.go; pkg/kubelet/kubelet_pods.go,
//! ensureHostsFile and GeneratePodHostNameAndDomain.

use api::openapi::api::core::v1::{Pod, PodDNSConfigOption, PodSpec};
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
const MAX_HOSTNAME_CHARS: usize = 63;

/// What a container's resolver is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct DnsConfig {
    servers: Vec<String>,
    searches: Vec<String>,
    options: Vec<(String, Option<String>)>,
}

/// The resolver's configuration of a pod.
fn dns_config(pod: &Pod) -> DnsConfig {
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
    /// Leaves out what is beyond the limits of resolvers.
    fn fit(mut self) -> Self {
        self.servers.truncate(MAX_NAMESERVERS);
        self.searches.truncate(MAX_SEARCHES);
        while self.searches.join(" ").len() > MAX_SEARCH_CHARS {
            self.searches.pop();
        }
        self
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
    /// Writes the files by which a container finds names.
    pub(crate) fn write_name_files(&self, node: &Node, files: &mut Files) {
        let address = self.address.as_deref().unwrap_or_default();
        let hosts = match self.is_host_network() {
            true => host_hosts(&self.pod, &node.spec.name, address),
            false => managed_hosts(&self.pod, address),
        };
        for (path, text) in [
            ("/etc/resolv.conf", dns_config(&self.pod).resolv_conf()),
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
            assert_eq!(dns_config(&pod(&spec)).resolv_conf(), want, "{spec}");
        }
    }

    /// Upstream: dns_test.go, TestFormDNSSearchFitsLimits and
    /// TestFormDNSNameserversFitsLimits.
    #[test]
    fn what_is_beyond_the_limits_is_left_out() {
        let words = |count: usize, length: usize| -> Vec<String> {
            (0..count).map(|number| format!("{number:0length$}")).collect()
        };
        let config =
            DnsConfig { servers: words(5, 1), searches: words(40, 1), ..DnsConfig::default() };
        let config = config.fit();
        assert_eq!((config.servers.len(), config.searches.len()), (3, 32));
        let long = DnsConfig { searches: words(20, 127), ..DnsConfig::default() }.fit();
        assert_eq!(long.searches.len(), 16);
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
