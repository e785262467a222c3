//! What a container's program is started with: command, arguments and environment variables.
//!
//! Upstream: pkg/kubelet/kubelet_pods.go, makeEnvironmentVariables; third_party/forked/golang/
//! expansion/expand.go; pkg/fieldpath/fieldpath.go.

use std::collections::BTreeMap;

use api::openapi::api::core::v1::{
    ConfigMap, Container, EnvFromSource, EnvVarSource, ObjectFieldSelector, Pod,
    ResourceFieldSelector, Secret,
};
use client::Context;
use runtime::{Environment, Image};
use sim::{SmallMap, Sort};

use crate::dial::port_number;
use crate::node::Node;
use crate::pod_worker::PodWorker;
use crate::prober::ProbeKind;
use crate::resources::{amounts, milli_value};
use crate::service_variables::of_services;

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Replaces `$(NAME)` by the variable's value. What is unknown stays as it is; `$$` is `$`.
/// The first of the maps that has a variable gives its value.
pub(crate) fn expand(text: &str, variables: &[&BTreeMap<String, String>]) -> String {
    expand_or_name(text, variables).0
}

/// The same, with the names that are unknown.
pub(crate) fn expand_or_name(
    text: &str,
    variables: &[&BTreeMap<String, String>],
) -> (String, Vec<String>) {
    let (mut result, mut unknown) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        result.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            result.push('$');
            rest = after;
            continue;
        }
        let name = rest.strip_prefix('(').and_then(|inner| inner.split_once(')'));
        let Some((name, after)) = name else {
            result.push('$');
            continue;
        };
        match variables.iter().find_map(|map| map.get(name)) {
            Some(value) => result.push_str(value),
            None => {
                result.push_str("$(");
                result.push_str(name);
                result.push(')');
                unknown.push(name.to_string());
            }
        }
        rest = after;
    }
    result.push_str(rest);
    (result, unknown)
}

/// Reads the data of a ConfigMap; `None` when there is no such object.
pub(crate) fn config_map(
    node: &Node,
    cx: &mut Context<'_>,
    namespace: &str,
    name: &str,
) -> Option<SmallMap<String, Vec<u8>>> {
    let object = cx.api::<ConfigMap>(&node.identity, namespace).get(name).ok()?;
    let text = object.data.iter().flatten().map(|(key, value)| (key.clone(), value.clone().into()));
    let binary = object.binary_data.iter().flatten();
    Some(text.chain(binary.map(|(key, value)| (key.clone(), value.0.clone()))).collect())
}

/// Reads the data of a Secret; `None` when there is no such object.
pub(crate) fn secret(
    node: &Node,
    cx: &mut Context<'_>,
    namespace: &str,
    name: &str,
) -> Option<SmallMap<String, Vec<u8>>> {
    let object = cx.api::<Secret>(&node.identity, namespace).get(name).ok()?;
    let data = object.data.iter().flatten();
    Some(data.map(|(key, value)| (key.clone(), value.0.clone())).collect())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The TCP ports that a container says it listens at: by its list, or because its probes ask
/// there.
fn declared_ports(container: &Container) -> Vec<u16> {
    let listed = container.ports.iter().flatten();
    let listed = listed.filter(|port| port.protocol.as_deref().is_none_or(|name| name == "TCP"));
    let mut ports: Vec<u16> =
        listed.filter_map(|port| u16::try_from(port.container_port).ok()).collect();
    for probe in ProbeKind::ALL.iter().filter_map(|kind| kind.of(container)) {
        let port = probe.http_get.as_ref().map(|action| &action.port);
        let port = port.or(probe.tcp_socket.as_ref().map(|action| &action.port));
        ports.extend(port.and_then(|port| port_number(container, port).ok()));
        ports.extend(probe.grpc.as_ref().and_then(|action| u16::try_from(action.port).ok()));
    }
    ports.order();
    ports.dedup();
    ports
}

impl PodWorker {
    /// What the program of a container starts with.
    ///
    /// # Errors
    /// The kubelet's words, when something is missing that the container refers to.
    pub(crate) fn environment(
        &self,
        node: &Node,
        cx: &mut Context<'_>,
        container: &Container,
        image: &Image,
    ) -> Result<Environment, String> {
        let services = of_services(&node.services, &self.pod);
        let mut own = BTreeMap::new();
        for source in container.env_from.iter().flatten() {
            self.add_from(node, cx, source, &mut own)?;
        }
        for variable in container.env.iter().flatten() {
            let value = match (&variable.value, &variable.value_from) {
                (Some(value), _) if !value.is_empty() => Some(expand(value, &[&own, &services])),
                (_, Some(source)) => self.value_from(node, cx, container, source)?,
                _ => Some(String::new()),
            };
            if let Some(value) = value {
                own.insert(variable.name.clone(), value);
            }
        }
        let expanded = |words: &Option<Vec<String>>| -> Vec<String> {
            words.iter().flatten().map(|word| expand(word, &[&own, &services])).collect()
        };
        let (command, args) = (expanded(&container.command), expanded(&container.args));
        let argv = match (command.is_empty(), args.is_empty()) {
            (true, true) => [image.entrypoint.clone(), image.command.clone()].concat(),
            (true, false) => [image.entrypoint.clone(), args].concat(),
            (false, _) => [command, args].concat(),
        };
        let hostname = self.hostname(node);
        let mut variables = BTreeMap::from([
            ("PATH".to_string(), DEFAULT_PATH.to_string()),
            ("HOSTNAME".to_string(), hostname.clone()),
        ]);
        variables.extend(image.variables.iter().cloned());
        variables.extend(services);
        variables.extend(own);
        let working_directory = container.working_dir.clone().unwrap_or_else(|| "/".to_string());
        let ports = declared_ports(container);
        Ok(Environment { argv, variables, hostname, working_directory, ports })
    }

    fn add_from(
        &self,
        node: &Node,
        cx: &mut Context<'_>,
        source: &EnvFromSource,
        own: &mut BTreeMap<String, String>,
    ) -> Result<(), String> {
        let namespace = &self.key.namespace;
        let (data, optional, missing) = match (&source.config_map_ref, &source.secret_ref) {
            (Some(reference), _) => {
                let data = config_map(node, cx, namespace, &reference.name);
                (data, reference.optional, format!("configmap {:?} not found", reference.name))
            }
            (None, Some(reference)) => {
                let data = secret(node, cx, namespace, &reference.name);
                (data, reference.optional, format!("secret {:?} not found", reference.name))
            }
            (None, None) => return Ok(()),
        };
        match data {
            Some(data) => {
                let prefix = source.prefix.as_deref().unwrap_or_default();
                own.extend(data.iter().map(|(key, value)| (format!("{prefix}{key}"), text(value))));
                Ok(())
            }
            None if optional == Some(true) => Ok(()),
            None => Err(missing),
        }
    }

    fn value_from(
        &self,
        node: &Node,
        cx: &mut Context<'_>,
        container: &Container,
        source: &EnvVarSource,
    ) -> Result<Option<String>, String> {
        let namespace = &self.key.namespace;
        if let Some(field) = &source.field_ref {
            return self.field(node, field).map(Some);
        }
        if let Some(resource) = &source.resource_field_ref {
            return resource_value(&|name| node.allocatable(name), container, resource).map(Some);
        }
        let (data, reference, object, words) =
            match (&source.config_map_key_ref, &source.secret_key_ref) {
                (Some(reference), _) => {
                    let data = config_map(node, cx, namespace, &reference.name);
                    let object = format!("configmap {:?} not found", reference.name);
                    (
                        data,
                        (&reference.key, &reference.name, reference.optional),
                        object,
                        "ConfigMap",
                    )
                }
                (None, Some(reference)) => {
                    let data = secret(node, cx, namespace, &reference.name);
                    let object = format!("secret {:?} not found", reference.name);
                    (data, (&reference.key, &reference.name, reference.optional), object, "Secret")
                }
                (None, None) => return Ok(Some(String::new())),
            };
        let (key, name, optional) = reference;
        let value = data.as_ref().map(|data| data.get(key));
        match value {
            Some(Some(value)) => Ok(Some(text(value))),
            _ if optional == Some(true) => Ok(None),
            Some(None) => Err(format!("couldn't find key {key} in {words} {namespace}/{name}")),
            None => Err(object),
        }
    }

    fn field(&self, node: &Node, field: &ObjectFieldSelector) -> Result<String, String> {
        let path = field.field_path.as_str();
        let spec = self.pod.spec.as_ref();
        let address = self.address.clone().unwrap_or_default();
        Ok(match path {
            "spec.nodeName" => node.spec.name.clone(),
            "spec.serviceAccountName" => {
                spec.and_then(|spec| spec.service_account_name.clone()).unwrap_or_default()
            }
            "status.hostIP" | "status.hostIPs" => node.spec.address.clone(),
            "status.podIP" | "status.podIPs" => address,
            _ => return metadata_field(&self.pod, path),
        })
    }
}

/// What a container asks for or is limited to, as the downward API gives it: in whole divisors,
/// rounded up. Without a limit of its own, a container is limited by what the node offers.
///
/// # Errors
/// When there is no such resource.
/// Upstream: pkg/api/v1/resource/helpers.go, ExtractContainerResourceValue and
/// MergeContainerResourceLimits.
pub(crate) fn resource_value(
    offered: &dyn Fn(&str) -> u64,
    container: &Container,
    selector: &ResourceFieldSelector,
) -> Result<String, String> {
    let resources = container.resources.as_ref();
    let of_limits = || amounts(resources.and_then(|resources| resources.limits.as_ref()));
    let of_requests = || amounts(resources.and_then(|resources| resources.requests.as_ref()));
    let whole = selector.resource.as_str();
    let (list, name) = match whole.split_once('.') {
        Some(("limits", name)) => (of_limits(), name),
        Some(("requests", name)) => (of_requests(), name),
        _ => (SmallMap::new(), ""),
    };
    if !matches!(name, "cpu" | "memory" | "ephemeral-storage") && !name.starts_with("hugepages-") {
        return Err(format!("unsupported container resource : {whole}"));
    }
    let given = list.get(name).copied().filter(|amount| *amount > 0);
    let offered = || if whole.starts_with("limits.") { offered(name) } else { 0 };
    let amount = given.unwrap_or_else(offered);
    // Processors are counted in thousandths, and so is a divisor of processors.
    let divisor = selector.divisor.as_ref().map_or(0, milli_value);
    let divisor = if divisor == 0 { 1000 } else { divisor };
    let divisor = if name == "cpu" { divisor } else { divisor.div_ceil(1000) };
    Ok(u128::from(amount).div_ceil(divisor).to_string())
}

/// A field of a pod's metadata, as the downward API gives it.
pub(crate) fn metadata_field(pod: &Pod, path: &str) -> Result<String, String> {
    let meta = &pod.metadata;
    let subscript = |prefix: &str| path.strip_prefix(prefix)?.strip_suffix("']");
    let of = |map: &Option<BTreeMap<String, String>>, key: &str| {
        map.as_ref().and_then(|map| map.get(key).cloned()).unwrap_or_default()
    };
    let lines = |map: &Option<BTreeMap<String, String>>| {
        let lines = map.iter().flatten().map(|(key, value)| format!("{key}={value:?}"));
        lines.collect::<Vec<_>>().join("\n")
    };
    if let Some(key) = subscript("metadata.labels['") {
        return Ok(of(&meta.labels, key));
    }
    if let Some(key) = subscript("metadata.annotations['") {
        return Ok(of(&meta.annotations, key));
    }
    match path {
        "metadata.name" => Ok(meta.name.clone().unwrap_or_default()),
        "metadata.namespace" => Ok(meta.namespace.clone().unwrap_or_default()),
        "metadata.uid" => Ok(meta.uid.clone().unwrap_or_default()),
        "metadata.labels" => Ok(lines(&meta.labels)),
        "metadata.annotations" => Ok(lines(&meta.annotations)),
        _ => Err(format!("unsupported fieldPath: {path}")),
    }
}

#[cfg(test)]
mod tests {
    use api::openapi::apimachinery::pkg::api::resource::Quantity;

    use super::*;

    /// Upstream: third_party/forked/golang/expansion/expand_test.go.
    #[test]
    fn references_are_expanded_as_upstream_expands_them() {
        let variables = BTreeMap::from(
            [("VAR_A", "A"), ("VAR_B", "B"), ("VAR_REF", "$(VAR_A)"), ("VAR_EMPTY", "")]
                .map(|(name, value)| (name.to_string(), value.to_string())),
        );
        for (text, want) in [
            ("$(VAR_A)", "A"),
            ("___$(VAR_B)___", "___B___"),
            ("$(VAR_A)-$(VAR_B)", "A-B"),
            ("f000-$$VAR_A", "f000-$VAR_A"),
            ("foo\\$(VAR_B)-bar", "foo\\B-bar"),
            ("$$(VAR_B)_______$(VAR_A)", "$(VAR_B)_______A"),
            ("$(VAR_REF)", "$(VAR_A)"),
            ("foo$(VAR_EMPTY)bar", "foobar"),
            ("$(VAR_DNE)", "$(VAR_DNE)"),
            ("$VAR_A)", "$VAR_A)"),
            ("$(VAR_A", "$(VAR_A"),
            ("foo$", "foo$"),
            ("$$$$$$(BIG_MONEY)", "$$$(BIG_MONEY)"),
        ] {
            assert_eq!(expand(text, &[&variables]), want, "{text}");
        }
    }

    /// Upstream: pkg/api/v1/resource/helpers_test.go, TestExtractContainerResourceValue, and
    /// pkg/kubelet/kubelet_resources_test.go, TestPodResourceLimitsDefaulting.
    #[test]
    fn resources_are_given_in_whole_divisors() {
        let with = |list: &str, amounts: &str| -> Container {
            let text = format!(r#"{{"name":"foo","resources":{{"{list}":{{{amounts}}}}}}}"#);
            serde_json::from_str(&text).expect("a container")
        };
        let nothing = || with("limits", "");
        for (container, resource, divisor, want) in [
            (with("limits", r#""cpu":"9""#), "limits.cpu", "", "9"),
            (with("requests", r#""cpu":"100m""#), "requests.cpu", "", "1"),
            (with("requests", r#""cpu":"100m""#), "requests.cpu", "1m", "100"),
            (with("requests", r#""cpu":"1500m""#), "requests.cpu", "1", "2"),
            (with("requests", r#""memory":"100Mi""#), "requests.memory", "", "104857600"),
            (with("requests", r#""memory":"100Mi""#), "requests.memory", "1Mi", "100"),
            (with("limits", r#""memory":"500Mi""#), "limits.memory", "1Gi", "1"),
            (
                with("limits", r#""ephemeral-storage":"9Ki""#),
                "limits.ephemeral-storage",
                "1Ki",
                "9",
            ),
            (with("limits", r#""hugepages-2Mi":"4Mi""#), "limits.hugepages-2Mi", "", "4194304"),
            (nothing(), "requests.cpu", "", "0"),
            (nothing(), "limits.cpu", "", "10"),
            (nothing(), "limits.memory", "1Ki", "10"),
            (nothing(), "limits.pods", "", "unsupported container resource : limits.pods"),
            (nothing(), "cpu", "", "unsupported container resource : cpu"),
        ] {
            let divisor = Some(divisor).filter(|text| !text.is_empty());
            let selector = ResourceFieldSelector {
                resource: resource.to_string(),
                divisor: divisor.map(|text| Quantity(text.to_string())),
                container_name: None,
            };
            let offered = |name: &str| if name == "cpu" { 10_000 } else { 10_240 };
            let value = resource_value(&offered, &container, &selector);
            let value = value.unwrap_or_else(|error| error);
            assert_eq!(value, want, "{resource} {divisor:?}");
        }
    }

    /// Upstream: pkg/kubelet/container/helpers_test.go, TestExpandVolumeMountsWithSubpath: the
    /// names that a path must not name are found.
    #[test]
    fn references_that_are_unknown_are_named() {
        let variables = BTreeMap::from([("foo".to_string(), "bar".to_string())]);
        for (text, want, unknown) in [
            ("$(foo)/x", "bar/x", ""),
            ("$(nope)", "$(nope)", "nope"),
            ("$(a)$(foo)$(b)", "$(a)bar$(b)", "a b"),
            ("$$(a)", "$(a)", ""),
        ] {
            let (expanded, names) = expand_or_name(text, &[&variables]);
            assert_eq!((expanded.as_str(), names.join(" ").as_str()), (want, unknown), "{text}");
        }
    }
}
